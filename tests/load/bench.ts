/** `npm run bench -- <name>`: starts what the benchmark needs on this machine, measures, reports, stops. Exit code 1: a target was missed. */
import { Command, InvalidArgumentError } from 'commander';
import { type Cluster, startCluster } from '../../infra/local/cluster.ts';
import { build } from '../../server/build.ts';
import { measureLatency } from './latency.ts';
import { measurePublish } from './publish.ts';
import { createReport, printReport, progress, type Result } from './report.ts';

interface Options {
  readonly json: boolean;
  readonly seconds: number;
}

/** Limits that protect a node from one client would measure themselves. */
const NO_LIMITS = { COMMAND_RATE: '1000000', PUBLISH_RATE_PER_USER: '1000000', LOG_LEVEL: 'warn' };

type Measure = (cluster: Cluster, token: string, seconds: number) => Promise<Result[]>;

async function run(name: string, nodes: number, measure: Measure, { json, seconds }: Options): Promise<void> {
  progress('building and starting ...');
  await build();
  const cluster = await startCluster({ nodes, redis: true, nginx: false, env: NO_LIMITS });
  try {
    const token = await cluster.token({ user: 'bench', subscribe: ['*'], publish: ['*'], ttlSeconds: 3_600 });
    const results = await measure(cluster, token, seconds);
    printReport(createReport(name, seconds, results), json);
    if (!results.every((result) => result.met)) process.exitCode = 1;
  } finally {
    await cluster.stop();
  }
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 3_600)) throw new InvalidArgumentError('a number of seconds from 1 to 3600');
  return value;
}

const program = new Command('bench').description(
  'Benchmarks on this machine. Absolute figures depend on it; compare runs of the same one.',
);
for (const [name, text, nodes, measure] of [
  ['publish', 'durable publishes acknowledged by one node, over WebSocket and HTTP', 1, measurePublish],
  ['latency', 'publish to delivery on another node, quiet system', 2, measureLatency],
] as const) {
  program
    .command(name)
    .description(text)
    .option('--seconds <n>', 'how long to measure', positive, 10)
    .option('--json', 'the result as JSON on stdout', false)
    .action((options: Options) => run(name, nodes, measure, options));
}
await program.parseAsync();
