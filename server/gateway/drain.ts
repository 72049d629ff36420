/**
 * Leaving service without a herd: connections are asked to reconnect at a set rate, each given a moment and then closed
 * with 1012, so that the other nodes see arrivals at that rate and no faster.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from './connection.ts';

export interface DrainProgress {
  /** Connections when the drain began, and those that are still open. */
  readonly total: number;
  readonly remaining: number;
  readonly seconds: number;
}

export interface DrainOptions {
  /** Connections per second. */
  readonly rate: number;
  /** When the time is up, `performance.now()` milliseconds; what is left then is closed at once. It may come closer meanwhile. */
  readonly deadline: () => number;
  /** Called at the begin, every five seconds, and at the end. */
  readonly onProgress: (progress: DrainProgress) => void;
}

/** A client has about this long to act on `reconnect` before it is closed, milliseconds. */
const GRACE_MS = 1_000;
const CLOSE_AFTER_MS = 500;
const TICK_MS = 100;
const PROGRESS_MS = 5_000;

/** Resolves when no connection is left, or when the time is up and the rest has been closed. */
export async function drain(connections: ReadonlySet<Connection>, options: DrainOptions): Promise<void> {
  const begin = performance.now();
  const total = connections.size;
  const report = () =>
    options.onProgress({ total, remaining: connections.size, seconds: (performance.now() - begin) / 1000 });
  report();
  const reporting = setInterval(report, PROGRESS_MS);
  await askAll(connections, options);
  for (const connection of connections) connection.close('service_restart');
  clearInterval(reporting);
  report();
}

async function askAll(connections: ReadonlySet<Connection>, { rate, deadline }: DrainOptions): Promise<void> {
  const waiting = [...connections];
  let allowance = 0;
  while (connections.size > 0 && performance.now() < deadline()) {
    // Faster than the rate only if the time would not suffice otherwise: all at once in the end would be the herd.
    const ticksLeft = Math.max(1, (deadline() - performance.now() - GRACE_MS * 2) / TICK_MS);
    allowance += Math.max((rate * TICK_MS) / 1000, waiting.length / ticksLeft);
    for (const connection of waiting.splice(0, Math.floor(allowance))) askToLeave(connection);
    allowance -= Math.floor(allowance);
    await sleep(TICK_MS);
  }
}

function askToLeave(connection: Connection): void {
  // Different times for clients that take `after_ms` at its word; those of one tick would come back in step.
  const afterMs = Math.round(GRACE_MS * (0.5 + Math.random()));
  connection.push({ type: 'reconnect', after_ms: afterMs, reason: 'draining' });
  setTimeout(() => connection.close('service_restart'), afterMs + CLOSE_AFTER_MS);
}
