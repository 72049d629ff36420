/**
 * `npm run bench -- <name>`: starts a cluster on this machine, runs one benchmark, prints its table, and stops.
 * Exit code 1 when a target was missed.
 */
import { Command, InvalidArgumentError } from 'commander';
import { runCommand } from '../../infra/host/run-command.ts';
import { type Cluster, startCluster } from '../../infra/local/servers/cluster.ts';
import { ensureBuilt } from '../../server/tools/build-cache.ts';
import { measureDurability } from './durability.ts';
import { measureLatency } from './latency.ts';
import { measurePublish } from './publish.ts';
import { createReport, printReport, progress, type Row } from './report.ts';
import { measureSlowConsumer } from './slow-consumer.ts';
import { measureStorm } from './storm.ts';
import { measureTelemetry } from './telemetry.ts';

/** Without the limits per client: otherwise the benchmark would measure those. */
const NO_LIMITS = {
  COMMAND_RATE: '1000000',
  PUBLISH_RATE_PER_USER: '1000000',
  MAX_CONNECTIONS_PER_USER: '100000',
  LOG_LEVEL: 'warn',
};

type Measure<T> = (cluster: Cluster, token: string, options: T) => Promise<Row[]>;

/** Starts a cluster, runs one benchmark on it, and stops it. */
async function run<T extends { readonly json: boolean }>(
  name: string,
  nodes: number,
  measure: Measure<T>,
  options: T,
): Promise<void> {
  progress('building and starting ...');
  await ensureBuilt();
  const cluster = await startCluster({ nodes, redis: true, nginx: false, env: NO_LIMITS });
  try {
    const token = await cluster.token({ user: 'bench', subscribe: ['*'], publish: ['*'], ttlSeconds: 3_600 });
    const { json, ...rest } = options;
    const results = await measure(cluster, token, options);
    printReport(createReport(name, rest, results), json);
    if (!results.every((result) => result.met)) process.exitCode = 1;
  } finally {
    await cluster.stop();
  }
}

const number = (min: number, max: number) => (text: string) => {
  const value = Number(text);
  if (!(value >= min && value <= max)) throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
  return value;
};

const program = new Command('bench').description(
  'Runs a benchmark on this machine. Figures depend on the machine: compare only runs on the same one.',
);

interface Timed {
  readonly json: boolean;
  readonly seconds: number;
}

const timed: [string, string, number, (cluster: Cluster, token: string, seconds: number) => Promise<Row[]>][] = [
  ['publish', 'durable publishes per second that one node acknowledges, over WebSocket and HTTP', 1, measurePublish],
  ['latency', 'time from a publish to its delivery on another node, in a quiet system', 2, measureLatency],
  ['telemetry', 'CPU time per publish that tracing and metrics cost', 1, measureTelemetry],
  [
    'slow-consumer',
    'effect of one subscriber that reads 1 KB/s on the other 999 of its channel',
    1,
    measureSlowConsumer,
  ],
];
for (const [name, text, nodes, measure] of timed) {
  program
    .command(name)
    .description(text)
    .option('--seconds <n>', 'duration of each measurement, in seconds', number(1, 3_600), 10)
    .option('--json', 'print the result as JSON', false)
    .action((options: Timed) =>
      run(name, nodes, (cluster, token) => measure(cluster, token, options.seconds), options),
    );
}

program
  .command('durability')
  .description('what the history and every subscriber have while Redis is up, stopped, and up again')
  .option('--messages <n>', 'number of messages; Redis is stopped after half of them', number(2, 1_000_000), 1_000)
  .option('--subscribers <n>', 'number of subscribers, spread over both nodes', number(1, 1_000), 20)
  .option('--json', 'print the result as JSON', false)
  .action((options: { json: boolean; messages: number; subscribers: number }) =>
    run('durability', 2, measureDurability, options),
  );

program
  .command('storm')
  .description('all nodes are killed, then all clients reconnect at once and recover from their positions')
  .option('--clients <n>', 'number of clients', number(1, 15_000), 10_000)
  .option(
    '--channels <n>',
    'number of channels, each followed by an equal share of the clients',
    number(1, 100_000),
    100,
  )
  .option('--missed <n>', 'messages that each client misses', number(1, 100_000), 100)
  .option('--sweep', 'repeat with a quarter of the clients, a tenth of the channels and ten times the channels', false)
  .option('--json', 'print the result as JSON', false)
  .action((options: { json: boolean; clients: number; channels: number; missed: number; sweep: boolean }) =>
    run(
      'storm',
      2,
      async (cluster, token) => {
        const { clients, channels, missed, sweep } = options;
        const cases = [[clients, channels]];
        if (sweep) cases.push([clients / 4, channels], [clients, channels / 10], [clients, channels * 10]);
        const rows: Row[] = [];
        for (const [count = 1, over = 1] of cases)
          rows.push(
            await measureStorm(cluster, token, { clients: Math.ceil(count), channels: Math.ceil(over), missed }),
          );
        return rows;
      },
      options,
    ),
  );
await runCommand(() => program.parseAsync());
