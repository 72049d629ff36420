/** Waiting in tests: for a condition rather than for a time wherever that is possible. */
import { setTimeout as sleep } from 'node:timers/promises';

export { sleep };

export interface EventuallyOptions {
  /** Default 20 s: long, because a machine that runs all tests at once is slow; it costs nothing when all is well. */
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
}

/**
 * Repeats `fn` until it returns without throwing, and returns what it returned. Put the expectations into it.
 * @throws what `fn` threw last, with the time waited in front of its message
 */
export async function eventually<T>(
  fn: () => T | Promise<T>,
  { timeoutMs = 20_000, intervalMs = 20 }: EventuallyOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await fn();
    } catch (error) {
      if (performance.now() >= deadline) {
        if (error instanceof Error) error.message = `Not within ${timeoutMs} ms: ${error.message}`;
        throw error;
      }
    }
    await sleep(intervalMs);
  }
}
