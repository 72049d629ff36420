/**
 * `npm start`: runs Holdfast in the foreground until it is stopped. Owns the exit codes; the steps are in
 * `launcher.ts`.
 */
import { describeExit, indent, type ManagedProcess } from '../../host/managed-process.ts';
import type { Cluster } from '../servers/cluster.ts';
import { launch, recordStopped } from './launcher.ts';
import { readSettings, UsageError } from './settings.ts';
import { listenForStop, type StopRequest } from './stop-request.ts';

/** Runs until the stop. Resolves with the exit code. */
async function main(): Promise<number> {
  const settings = readSettings(process.argv.slice(2));
  const stop = listenForStop();
  const started = performance.now();
  let cluster: Cluster;
  try {
    cluster = await launch(settings, stop.signal, (line) => console.log(line));
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    console.log('Stopped during the start.');
    recordStopped();
    return 0;
  }
  console.log(`\n  (ready in ${((performance.now() - started) / 1000).toFixed(1)} s)`);
  const code = await run(cluster, stop);
  await cluster.stop();
  recordStopped();
  console.log('Stopped.');
  return code;
}

/** Waits for a stop request, or until a process ends unexpectedly. */
async function run(cluster: Cluster, stop: StopRequest): Promise<number> {
  const died = cluster.processes.map((process) => process.exited.then(() => process));
  const end = await Promise.race([stop.wanted, ...died]);
  if (typeof end === 'string') {
    console.log(`\nStopping (${end}) …`);
    return 0;
  }
  console.error(explainDeath(end));
  return 1;
}

function explainDeath(process: ManagedProcess): string {
  const how = process.exit ? describeExit(process.exit) : 'unknown';
  const what = `${process.name} ended unexpectedly (${how}); stopping the other processes.`;
  return `\n${what} Its log, ${process.logFile}, ends with:\n${indent(process.tail(15))}`;
}

// Writing to a closed terminal fails; that must not crash the orderly stop.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

try {
  process.exitCode = await main();
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  if (message !== '') console.error(message);
  process.exitCode = error instanceof UsageError ? error.exitCode : 1;
}
// Exits even if handles are still open. The exit hook of the reaper ends remaining processes.
process.exit();
