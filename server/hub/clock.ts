/** Time, as the hub uses it; tests put their own in its place to try every order of events. */
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
