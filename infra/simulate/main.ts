/** `npm run simulate`: replays a curve of connections against the autoscaling of an environment, and draws what happens. */
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
    if (!(value >= min)) throw new InvalidArgumentError(`a number, at least ${min}`);
    return value;
  };
}

const program = new Command('npm run simulate --')
  .description('Replays connections over time against the autoscaling policy of an environment.')
  .addOption(new Option('-e, --environment <name>', 'whose policy').choices([...ENVIRONMENT_NAMES]).default('prod'))
  .addOption(new Option('-c, --curve <name>', 'what happens').choices([...CURVE_NAMES]).default('day'))
  .option('-p, --peak <connections>', 'top of the curve; default: 80 % of what all tasks aim at', number(1))
  .option('-s, --seed <n>', 'of the noise', number(0), 1)
  .option('--start <seconds>', 'until a new task serves', number(1), ASSUMPTIONS.taskStartSeconds)
  .option('--lifetime <seconds>', 'mean life of a connection', number(1), ASSUMPTIONS.lifetimeSeconds)
  .option('--svg <file>', 'also write a picture')
  .option('--json', 'print everything as JSON')
  .addHelpText(
    'after',
    `
Exit codes: 0 good, 1 flapping, saturated, or connections cut at the end of a drain, 2 wrong usage.

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
    // Whole hours: more labels than that run into each other.
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
  write(chart('connections wanted, by hour', simulation, ({ wanted }) => wanted));
  write(chart('tasks that serve', simulation, ({ serving }) => serving));
  write(chart('connections of the fullest task', simulation, ({ fullest }) => fullest));
  write(chart('free places, % of wanted', simulation, ({ headroom }) => Math.min(300, headroom * 100)));
  write(`Tasks asked for: ${actions.map(({ minute, to }) => `${to} (${clock(minute)})`).join(', ') || 'no change'}\n`);
  const table = new Table({ style: { head: [], border: [] } });
  table.push(
    ['changes: more, fewer', `${summary.scaleOuts}, ${summary.scaleIns}`],
    ['changes of direction within half an hour', summary.flaps],
    ['longest time with over 1 % waiting, minutes', summary.longestWaitMinutes],
    ['most that were waiting, attempts refused', `${summary.mostWaiting}, ${summary.refusedAttempts}`],
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
    // Only now: the library is large.
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
  // Commander has printed what was wrong.
  const { exitCode } = error as { exitCode?: number };
  if (exitCode === undefined) process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = exitCode === 0 ? 0 : error instanceof EnvironmentError || exitCode !== undefined ? 2 : 1;
}
