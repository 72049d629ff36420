/**
 * `npm run simulate`: replays a curve of connections against the autoscaling policy of an environment and draws the
 * result.
 */
import { writeFileSync } from 'node:fs';
import Table from 'cli-table3';
import { Command, InvalidArgumentError, Option } from 'commander';
import { plot } from 'simple-ascii-chart';
import { EnvironmentError, findEnvironment } from '../environments/rules.ts';
import { ENVIRONMENT_NAMES } from '../environments/types.ts';
import { CURVE_NAMES, type CurveName, curve } from '../plan/scaling/curves.ts';
import { ASSUMPTIONS } from '../plan/scaling/fleet.ts';
import { type Simulation, simulate } from '../plan/scaling/simulate.ts';

interface Options {
  readonly environment: string;
  readonly curve: CurveName;
  readonly peak?: number;
  readonly seed: number;
  readonly start: number;
  readonly lifetime: number;
  readonly svg?: string;
  readonly json?: boolean;
}

function number(min: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!(value >= min)) throw new InvalidArgumentError(`It must be a number, at least ${min}.`);
    return value;
  };
}

const program = new Command('npm run simulate --')
  .description(
    'Replays a curve of connections against the autoscaling policy of an environment. Shows tasks, connections per task and headroom over time, and a verdict. Contacts nothing.',
  )
  .addOption(
    new Option('-e, --environment <name>', 'environment whose policy is replayed')
      .choices([...ENVIRONMENT_NAMES])
      .default('prod'),
  )
  .addOption(
    new Option(
      '-c, --curve <name>',
      'day: a working day; flat: a steady load; storm: the loss of a zone; ramp: a launch',
    )
      .choices([...CURVE_NAMES])
      .default('day'),
  )
  .option(
    '-p, --peak <connections>',
    'largest number of connections (default: 80 % of maxTasks × targetConnections)',
    number(1),
  )
  .option('-s, --seed <n>', 'seed of the noise', number(0), 1)
  .option('--start <seconds>', 'time until a new task serves', number(1), ASSUMPTIONS.taskStartSeconds)
  .option('--lifetime <seconds>', 'mean lifetime of a connection', number(1), ASSUMPTIONS.lifetimeSeconds)
  .option('--svg <file>', 'also write a chart to this file')
  .option('--json', 'print the summary and every minute as JSON')
  .addHelpText(
    'after',
    `
Verdicts: good; flapping: tasks are added and removed within half an hour; saturated: more than 1 % of the
clients wait for over five minutes; connections cut: a drain takes longer than the deregistration delay.

Exit codes: 0 good; 1 any other verdict; 2 wrong usage, or an environment that cannot be deployed.

  npm run simulate -- --curve storm --environment prod --svg storm.svg`,
  )
  .exitOverride();

const CHART_WIDTH = 96;

function chart(title: string, { minutes }: Simulation, of: (state: Simulation['minutes'][number]) => number): string {
  const every = Math.max(1, Math.floor(minutes.length / CHART_WIDTH));
  const points = minutes
    .filter((_, i) => i % every === 0)
    .map((state): [number, number] => [state.minute / 60, of(state)]);
  return plot(points, {
    title,
    width: CHART_WIDTH,
    height: 7,
    // Label whole hours only, so that labels do not overlap.
    formatter: (value, { axis }) => {
      if (axis === 'y') return String(Math.round(value));
      return Math.abs(value - Math.round(value)) <= every / 120 ? String(Math.round(value)) : '';
    },
  });
}

const clock = (minute: number) => `${Math.floor(minute / 60)}:${String(minute % 60).padStart(2, '0')}`;

function print(simulation: Simulation): void {
  const { summary, actions } = simulation;
  const write = (text: string) => process.stdout.write(`${text}\n`);
  write(chart('connections wanted, over hours', simulation, ({ wanted }) => wanted));
  write(chart('serving tasks', simulation, ({ serving }) => serving));
  write(chart('connections of the fullest task', simulation, ({ fullest }) => fullest));
  write(chart('headroom: free connections, % of wanted', simulation, ({ headroom }) => Math.min(300, headroom * 100)));
  write(
    `Desired tasks (at h:mm): ${actions.map(({ minute, to }) => `${to} (${clock(minute)})`).join(', ') || 'no change'}\n`,
  );
  const table = new Table({ style: { head: [], border: [] } });
  table.push(
    ['scale-outs, scale-ins', `${summary.scaleOuts}, ${summary.scaleIns}`],
    ['changes of direction within half an hour', summary.flaps],
    ['longest time with over 1 % of clients waiting, minutes', summary.longestWaitMinutes],
    ['most clients waiting, attempts refused', `${summary.mostWaiting}, ${summary.refusedAttempts}`],
    ['least headroom, % of wanted', Math.round(summary.leastHeadroom * 100)],
    ['most connections on one task', summary.fullestTask],
    ['connections cut at the end of a drain', summary.cut],
    ['task hours', Math.round(summary.taskHours)],
    ['verdict', summary.verdict],
  );
  write(table.toString());
}

async function main(): Promise<void> {
  const options = program.parse().opts<Options>();
  const environment = findEnvironment(options.environment);
  const { service, network } = environment;
  const peak = options.peak ?? Math.round(service.maxTasks * service.targetConnections * 0.8);
  const played = curve(options.curve, { peak, zones: network.zones, seed: options.seed });
  const simulation = simulate(environment, played, {
    ...ASSUMPTIONS,
    taskStartSeconds: options.start,
    lifetimeSeconds: options.lifetime,
  });
  const title = `${environment.name}: ${played.description}, ${peak.toLocaleString('en')} connections`;
  if (options.svg) {
    // Loaded only here: the charts library is large.
    const { drawSimulation } = await import('./chart.ts');
    const { targetConnections, maxConnections } = service;
    writeFileSync(
      options.svg,
      drawSimulation({ title, minutes: simulation.minutes, targetConnections, maxConnections }),
    );
  }
  if (options.json) process.stdout.write(`${JSON.stringify({ title, ...simulation }, null, 2)}\n`);
  else {
    process.stdout.write(`${title}\n`);
    print(simulation);
  }
  process.exitCode = simulation.summary.verdict === 'good' ? 0 : 1;
}

try {
  await main();
} catch (error) {
  // An error with an exit code comes from Commander, which has printed it.
  const { exitCode } = error as { exitCode?: number };
  if (exitCode === undefined) process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = exitCode === 0 ? 0 : error instanceof EnvironmentError || exitCode !== undefined ? 2 : 1;
}
