/**
 * `npm run observe`: runs Holdfast on this machine with Prometheus and the alert rules, a probe, a light load, and the
 * dashboards as a web page. Owns the command line, the exit codes and the shutdown.
 */
import { Command, InvalidArgumentError } from 'commander';
import { launch, recordStopped } from '../start/launcher.ts';
import { readSettings, UsageError } from '../start/settings.ts';
import { listenForStop } from '../start/stop-request.ts';
import { startObserving } from './observe.ts';

interface Options {
  readonly pagePort: number;
  readonly prometheusPort: number;
  readonly grafanaPort: number;
  readonly users: number;
  readonly messages: number;
}

const number = (min: number, max: number) => (text: string) => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
};

const program = new Command('npm run observe --')
  .description(
    'Runs Holdfast on this machine as npm start does, with Prometheus and the alert rules, a probe, a light load, and every dashboard as a page. Also runs Grafana, if it is installed.',
  )
  .option('--page-port <port>', 'port of the dashboards', number(1, 65_535), 8_090)
  .option('--prometheus-port <port>', 'port of Prometheus', number(1, 65_535), 9_090)
  .option('--grafana-port <port>', 'port of Grafana, if it is installed', number(1, 65_535), 3_000)
  .option('--users <count>', 'users that connect, publish and reconnect; 0: no load', number(0, 1_000), 20)
  .option('--messages <count>', 'messages per second of all users together', number(0, 1_000), 20)
  .allowExcessArguments(false)
  .addHelpText(
    'after',
    `
Ports of Holdfast itself are set as for npm start: PORT, NODE_PORT, METRICS_PORT, NODES.

Exit codes: 0 stopped by a signal, 1 failed, 2 wrong usage or configuration.`,
  );

async function main(): Promise<number> {
  const options = program.parse().opts<Options>();
  const settings = readSettings([]);
  const stop = listenForStop();
  const say = (line: string) => console.log(line);
  const cluster = await launch(settings, stop.signal, say);
  try {
    const observing = await startObserving(cluster, { ...options, signal: stop.signal, say });
    const died = [...cluster.processes, ...observing.processes].map((process) =>
      process.exited.then(() => `${process.name} ended unexpectedly. Its log: ${process.logFile}`),
    );
    const end = await Promise.race([stop.wanted.then(() => undefined), ...died]);
    if (end) console.error(end);
    else console.log('\nStopping …');
    await observing.stop();
    return end ? 1 : 0;
  } finally {
    await cluster.stop();
    recordStopped();
  }
}

for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = error instanceof UsageError ? error.exitCode : 1;
}
process.exit();
