/**
 * Drains a node: asks its connections to reconnect at a set rate, or faster where the deadline is too near for it. Closes each
 * with 1012 soon after it was asked, and all that are left at the deadline. Never refuses new connections (`gateway.ts`).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from './connection.ts';

export interface DrainProgress {
  /** Connections at the start of the drain. */
  readonly total: number;
  /** Connections that are still open. */
  readonly remaining: number;
  /** Since the start of the drain. */
  readonly seconds: number;
}

export interface DrainOptions {
  /** Connections that are asked per second. */
  readonly rate: number;
  /** When the rest is closed at once, `performance.now()` milliseconds. Read in each tick, because SIGTERM may shorten it. */
  readonly deadline: () => number;
  /** Called at the start, every PROGRESS_MS, and at the end. */
  readonly onProgress: (progress: DrainProgress) => void;
}

/** Mean of `after_ms` in `reconnect`, milliseconds. */
const GRACE_MS = 1_000;
/** From the end of `after_ms` to the close frame. */
const CLOSE_AFTER_MS = 500;
const TICK_MS = 100;
const PROGRESS_MS = 5_000;

/** Resolves when no connection is left, or when the deadline has passed and the rest has been closed. */
export async function drain(connections: ReadonlySet<Connection>, options: DrainOptions): Promise<void> {
  const begin = performance.now();
  const total = connections.size;
  const report = () =>
    options.onProgress({ total, remaining: connections.size, seconds: (performance.now() - begin) / 1000 });
  report();
  const reporting = setInterval(report, PROGRESS_MS);
  await requestReconnects(connections, options);
  for (const connection of connections) connection.close('service_restart');
  clearInterval(reporting);
  report();
}

async function requestReconnects(
  connections: ReadonlySet<Connection>,
  { rate, deadline }: DrainOptions,
): Promise<void> {
  const waiting = [...connections];
  let allowance = 0;
  while (connections.size > 0 && performance.now() < deadline()) {
    // Faster than the rate if the time would not suffice: closing the rest at once would make them reconnect together.
    const ticksLeft = Math.max(1, (deadline() - performance.now() - GRACE_MS * 2) / TICK_MS);
    allowance += Math.max((rate * TICK_MS) / 1000, waiting.length / ticksLeft);
    for (const connection of waiting.splice(0, Math.floor(allowance))) requestReconnect(connection);
    allowance -= Math.floor(allowance);
    await sleep(TICK_MS);
  }
}

function requestReconnect(connection: Connection): void {
  // A random `after_ms` spreads the clients of one tick that wait exactly that long.
  const afterMs = Math.round(GRACE_MS * (0.5 + Math.random()));
  connection.push({ type: 'reconnect', after_ms: afterMs, reason: 'draining' });
  setTimeout(() => connection.close('service_restart'), afterMs + CLOSE_AFTER_MS);
}
