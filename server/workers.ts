/**
 * Several nodes behind one port on one machine (WORKERS). The parent process starts and restarts the workers and forwards
 * signals; it serves no client.
 */
import cluster from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from './config.ts';
import type { Logger } from './logger.ts';

/** Pause before a worker that ended is replaced, milliseconds. */
const RESTART_DELAY_MS = 1_000;
/** Exit code of a worker with wrong settings. It is not replaced, because the next one would fail the same way. */
const CONFIG_EXIT = 2;

/** Runs WORKERS workers until a signal. Resolves with the exit code of the process when all workers have ended. */
export function superviseWorkers({ WORKERS, METRICS_PORT, NODE_ID }: Config, log: Logger): Promise<number> {
  let stopping = false;
  let exitCode = 0;
  const start = (index: number): void => {
    // Each node has its own metrics, so each worker needs its own port. 0 means any free port.
    const metricsPort = METRICS_PORT === 0 ? 0 : METRICS_PORT + index;
    const worker = cluster.fork({ METRICS_PORT: String(metricsPort), NODE_ID: NODE_ID && `${NODE_ID}-${index}` });
    worker.on('exit', (code, signal) => void ended(index, code, signal));
  };
  let finish: (code: number) => void = () => {};
  const ended = async (index: number, code: number, signal: string): Promise<void> => {
    if (!stopping && code === CONFIG_EXIT) stop('SIGTERM', code);
    if (!stopping) {
      log.error({ worker: index, code, signal }, 'A worker ended; starting another.');
      await sleep(RESTART_DELAY_MS);
      if (!stopping) start(index);
    }
    if (stopping && Object.keys(cluster.workers ?? {}).length === 0) finish(exitCode);
  };
  const stop = (signal: NodeJS.Signals, code: number): void => {
    stopping = true;
    exitCode = code;
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill(signal);
  };
  return new Promise((resolve) => {
    finish = resolve;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop('SIGTERM', 0));
    for (let index = 0; index < WORKERS; index++) start(index);
  });
}
