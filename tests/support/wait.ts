/** Waiting in tests: for a condition, and for a fixed time only where there is no condition to observe. */
import { setTimeout as sleep } from 'node:timers/promises';

export { sleep };

export interface EventuallyOptions {
  /** Default 20 s: long, because a machine that runs all tests is slow. It costs nothing when all is well. */
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
}

/**
 * Repeats `fn`, which holds the expectations, until it does not throw; resolves to its result.
 * @throws the last error of `fn`, with the time waited in front of its message
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
