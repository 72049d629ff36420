/** `npm run soak`: random faults against a real cluster under load. Exit code 1 when a message was lost or wrong. */
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { runCommand } from '../../infra/host/run-command.ts';
import { ensureBuilt } from '../../server/tools/build-cache.ts';
import { progress } from './report.ts';
import { runSoak, type SoakResult } from './soak-run.ts';

function number(min: number, max: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
    return value;
  };
}

function print(result: SoakResult): void {
  const { audit } = result;
  const table = new Table({ style: { head: [], border: [] } });
  table.push(
    ['seed, minutes', `${result.seed}, ${(result.seconds / 60).toFixed(1)}`],
    ['faults injected', Object.values(result.faults).reduce((sum, count) => sum + count, 0)],
    ['acknowledged, stored', `${audit.acknowledged}, ${result.stored}`],
    ['failed publish attempts, of these stored', `${result.failedPublishes}, ${result.retriesThatWereStored}`],
    ['reconnects, recoveries', `${result.reconnects}, ${result.recoveries}`],
    ['delivered in order', audit.inOrder],
    ['lost', audit.lost],
    ['duplicated', audit.duplicated],
    ['reordered', audit.reordered],
    ['altered, acknowledged but not stored', `${audit.altered}, ${audit.unstored}`],
    ['commit to client, ms', `p50 ${audit.latencyMs.p50}, p99 ${audit.latencyMs.p99}, max ${audit.latencyMs.max}`],
  );
  const faults = new Table({ head: ['fault', 'times'], style: { head: [], border: [] } });
  for (const [name, count] of Object.entries(result.faults).sort()) faults.push([name, count]);
  process.stdout.write(`${table.toString()}\n${faults.toString()}\n`);
  for (const problem of result.problems) process.stdout.write(`PROBLEM ${problem}\n`);
  for (const finding of audit.findings.slice(0, 20)) process.stdout.write(`${JSON.stringify(finding)}\n`);
  process.stdout.write(
    result.problems.length === 0 ? 'Nothing was lost.\n' : 'Messages were lost or wrong: see the problems above.\n',
  );
}

const program = new Command('soak')
  .description('Injects random faults into a cluster under load on this machine, then counts lost and wrong messages.')
  .option('--minutes <n>', 'time during which faults are injected, in minutes', number(0.1, 1_440), 2)
  .option(
    '--seed <n>',
    'seed of the random choice of faults; the same seed chooses the same faults',
    number(0, 2 ** 31),
    1,
  )
  .option('--json', 'print the result as JSON', false)
  .action(async ({ minutes, seed, json }: { minutes: number; seed: number; json: boolean }) => {
    await ensureBuilt();
    const result = await runSoak({ seconds: minutes * 60, seed, onProgress: progress });
    if (json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    else print(result);
    if (result.problems.length > 0) process.exitCode = 1;
  });
await runCommand(() => program.parseAsync());
