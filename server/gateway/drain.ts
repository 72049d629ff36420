/**
 * Leaving service without a herd: connections are asked to reconnect at a set rate, each given a moment and then closed
 * with 1012, so that the other nodes see arrivals at that rate and no faster.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from './connection.ts';

export interface DrainOptions {
  /** Connections per second. */
  readonly rate: number;
  /** Longest the whole drain may take, milliseconds; what is left then is closed at once. */
  readonly timeoutMs: number;
}

/** A client may take this long to act on `reconnect` before it is closed, milliseconds. */
const GRACE_MS = 1_000;
const TICK_MS = 100;

/** Resolves when no connection is left, or when the time is up and the rest has been closed. */
export async function drain(connections: ReadonlySet<Connection>, { rate, timeoutMs }: DrainOptions): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  const waiting = [...connections];
  let allowance = 0;
  while (connections.size > 0 && performance.now() < deadline) {
    // Faster than the rate only if the time would not suffice otherwise.
    const ticksLeft = Math.max(1, (deadline - performance.now() - GRACE_MS * 2) / TICK_MS);
    allowance += Math.max((rate * TICK_MS) / 1000, waiting.length / ticksLeft);
    for (const connection of waiting.splice(0, Math.floor(allowance))) askToLeave(connection);
    allowance -= Math.floor(allowance);
    await sleep(TICK_MS);
  }
  for (const connection of connections) connection.close('service_restart');
}

function askToLeave(connection: Connection): void {
  connection.push({ type: 'reconnect', after_ms: GRACE_MS, reason: 'draining' });
  setTimeout(() => connection.close('service_restart'), GRACE_MS + 500);
}
