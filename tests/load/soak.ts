/** `npm run soak`: random faults against a real cluster under load for some minutes. Exit code 1: something was lost. */
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { runCommand } from '../../infra/host/run-command.ts';
import { build } from '../../server/tools/build.ts';
import { progress } from './report.ts';
import { runSoak, type SoakResult } from './soak-run.ts';

function number(min: number, max: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`a number from ${min} to ${max}`);
    return value;
  };
}

function print(result: SoakResult): void {
  const { audit } = result;
  const table = new Table({ style: { head: [], border: [] } });
  table.push(
    ['seed, minutes', `${result.seed}, ${(result.seconds / 60).toFixed(1)}`],
    ['faults', Object.values(result.faults).reduce((sum, count) => sum + count, 0)],
    ['acknowledged, stored', `${audit.acknowledged}, ${result.stored}`],
    ['failed publishes, of them stored', `${result.failedPublishes}, ${result.retriesThatWereStored}`],
    ['reconnects, recoveries', `${result.reconnects}, ${result.recoveries}`],
    ['delivered in order', audit.inOrder],
    ['lost', audit.lost],
    ['duplicated', audit.duplicated],
    ['reordered', audit.reordered],
    ['altered, unstored', `${audit.altered}, ${audit.unstored}`],
    ['commit to client, ms', `p50 ${audit.latencyMs.p50}, p99 ${audit.latencyMs.p99}, max ${audit.latencyMs.max}`],
  );
  const faults = new Table({ head: ['fault', 'times'], style: { head: [], border: [] } });
  for (const [name, count] of Object.entries(result.faults).sort()) faults.push([name, count]);
  process.stdout.write(`${table.toString()}\n${faults.toString()}\n`);
  for (const problem of result.problems) process.stdout.write(`PROBLEM ${problem}\n`);
  for (const finding of audit.findings.slice(0, 20)) process.stdout.write(`${JSON.stringify(finding)}\n`);
  process.stdout.write(result.problems.length === 0 ? 'Nothing was lost.\n' : 'This must not happen.\n');
}

const program = new Command('soak')
  .description('Publishers, subscribers and random faults on this machine; then the auditor counts.')
  .option('--minutes <n>', 'how long faults are injected', number(0.1, 1_440), 2)
  .option('--seed <n>', 'repeats the choice of faults and times', number(0, 2 ** 31), 1)
  .option('--json', 'the result as JSON on stdout', false)
  .action(async ({ minutes, seed, json }: { minutes: number; seed: number; json: boolean }) => {
    await build();
    const result = await runSoak({ seconds: minutes * 60, seed, onProgress: progress });
    if (json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    else print(result);
    if (result.problems.length > 0) process.exitCode = 1;
  });
await runCommand(() => program.parseAsync());
