/** Time for the hub. Tests replace it to run events in any order. */
export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number;
  /** At the end of this event-loop turn. */
  soon(run: () => void): void;
  /** After `ms`; the result cancels it. Does not keep the process alive. */
  later(ms: number, run: () => void): () => void;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  soon: (run) => void setImmediate(run),
  later(ms, run) {
    const timer = setTimeout(run, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
