/** `npm run bench -- <name>`: starts what the benchmark needs on this machine, measures, reports, stops. Exit code 1: a target was missed. */
import { Command, InvalidArgumentError } from 'commander';
import { runCommand } from '../../infra/host/run-command.ts';
import { type Cluster, startCluster } from '../../infra/local/servers/cluster.ts';
import { build } from '../../server/tools/build.ts';
import { measureDurability } from './durability.ts';
import { measureLatency } from './latency.ts';
import { measurePublish } from './publish.ts';
import { createReport, printReport, progress, type Row } from './report.ts';
import { measureSlowConsumer } from './slow-consumer.ts';
import { measureStorm } from './storm.ts';
import { measureTelemetry } from './telemetry.ts';

/** Limits that protect a node from one client would measure themselves. */
const NO_LIMITS = {
  COMMAND_RATE: '1000000',
  PUBLISH_RATE_PER_USER: '1000000',
  MAX_CONNECTIONS_PER_USER: '100000',
  LOG_LEVEL: 'warn',
};

type Measure<T> = (cluster: Cluster, token: string, options: T) => Promise<Row[]>;

/** Runs one benchmark on a cluster of its own. */
async function run<T extends { readonly json: boolean }>(
  name: string,
  nodes: number,
  measure: Measure<T>,
  options: T,
): Promise<void> {
  progress('building and starting ...');
  await build();
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
  if (!(value >= min && value <= max)) throw new InvalidArgumentError(`a number from ${min} to ${max}`);
  return value;
};

const program = new Command('bench').description(
  'Benchmarks on this machine. Absolute figures depend on it; compare runs of the same one.',
);

interface Timed {
  readonly json: boolean;
  readonly seconds: number;
}

const timed: [string, string, number, (cluster: Cluster, token: string, seconds: number) => Promise<Row[]>][] = [
  ['publish', 'durable publishes acknowledged by one node, over WebSocket and HTTP', 1, measurePublish],
  ['latency', 'publish to delivery on another node, quiet system', 2, measureLatency],
  ['telemetry', 'CPU that tracing and metrics take from a publish', 1, measureTelemetry],
  ['slow-consumer', 'what one subscriber at 1 KB/s costs the other 999 of its channel', 1, measureSlowConsumer],
];
for (const [name, text, nodes, measure] of timed) {
  program
    .command(name)
    .description(text)
    .option('--seconds <n>', 'how long to measure', number(1, 3_600), 10)
    .option('--json', 'the result as JSON on stdout', false)
    .action((options: Timed) =>
      run(name, nodes, (cluster, token) => measure(cluster, token, options.seconds), options),
    );
}

program
  .command('durability')
  .description('messages while Redis goes away and comes back: what the history and every subscriber have (scenario B)')
  .option('--messages <n>', 'how many; Redis is stopped after half of them', number(2, 1_000_000), 1_000)
  .option('--subscribers <n>', 'over both nodes', number(1, 1_000), 20)
  .option('--json', 'the result as JSON on stdout', false)
  .action((options: { json: boolean; messages: number; subscribers: number }) =>
    run('durability', 2, measureDurability, options),
  );

program
  .command('storm')
  .description('all nodes die under many clients, who then come back at once with their positions')
  .option('--clients <n>', 'how many', number(1, 15_000), 10_000)
  .option('--channels <n>', 'over so many channels', number(1, 100_000), 100)
  .option('--missed <n>', 'messages that everyone has missed', number(1, 100_000), 100)
  .option(
    '--sweep',
    'a quarter of the clients, then a tenth and ten times the channels, to see what reads depend on',
    false,
  )
  .option('--json', 'the result as JSON on stdout', false)
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
