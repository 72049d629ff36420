/**
 * `npm run alerts`: injects the fault of every alert on a real cluster, and prints how long the alert took to fire and to
 * resolve. Exit codes: 0 all fired and resolved, 1 some did not, 2 wrong usage.
 */
import Table from 'cli-table3';
import { Command } from 'commander';
import { endCommand } from '../../infra/host/run-command.ts';
import { ensureBuilt } from '../../server/tools/build-cache.ts';
import { type Drilled, drill } from './drill.ts';
import { FAULTS } from './faults.ts';
import { setStage } from './stage.ts';

interface Options {
  readonly only?: string;
  readonly json?: boolean;
}

const options = new Command('npm run alerts --')
  .description(
    'Injects the fault of every alert on a real cluster, with compressed time, and reports whether the alert fires and resolves.',
  )
  .option('--only <text>', 'only faults whose description or alerts contain this text')
  .option('--json', 'print the results as JSON')
  .allowExcessArguments(false)
  .parse()
  .opts<Options>();

const chosen = FAULTS.filter(({ fault, alerts }) =>
  [fault, ...Object.keys(alerts)].some((text) => text.includes(options.only ?? '')),
);
if (chosen.length === 0) {
  console.error(`No fault or alert contains "${options.only}".`);
  process.exit(2);
}

const say = (line: string) => process.stderr.write(`${line}\n`);
const seconds = (value: number | undefined) => (value === undefined ? 'NEVER' : value.toFixed(1));

await ensureBuilt();
say('Starting the cluster, a light load, a probe and Prometheus …');
const stage = await setStage();
const results: Drilled[] = [];
try {
  for (const [i, fault] of chosen.entries()) {
    say(`${i + 1} of ${chosen.length}: ${fault.fault} …`);
    for (const one of await drill(stage, fault)) {
      results.push(one);
      say(`  ${one.alert} fired after ${seconds(one.toFire)} s, resolved after ${seconds(one.toResolve)} s`);
    }
  }
} finally {
  await stage.stop();
}
if (options.json) console.log(JSON.stringify(results, null, 2));
else {
  const table = new Table({
    head: ['alert', 'fault', 'compression', 'fired, s', 'resolved, s'],
    style: { head: [], border: [] },
  });
  for (const { alert, fault, factor, toFire, toResolve } of results)
    table.push([alert, fault, String(factor), seconds(toFire), seconds(toResolve)]);
  console.log(table.toString());
}
process.exitCode = results.every(({ toFire, toResolve }) => toFire !== undefined && toResolve !== undefined) ? 0 : 1;
await endCommand();
