/**
 * Tells a node that its load balancer has begun to take it out of service, which on ECS happens long before SIGTERM: by
 * asking again and again what state its target is in. Knows nothing of AWS beyond the names of the states, and never
 * takes an error for a deregistration: an API that is away or throttled must not drain the fleet.
 */

/** States of a target, as Elastic Load Balancing names them. */
export const AWS_STATES = [
  'initial',
  'healthy',
  'unhealthy',
  'unhealthy.draining',
  'draining',
  'unused',
  'unavailable',
] as const;

/**
 * `absent`: not registered. AWS calls these `unused` too, with a reason; here `unused` is a target that is registered
 * with a group that no listener uses, as during a blue/green switch. That is no deregistration: the switch may go back.
 */
export type TargetState = (typeof AWS_STATES)[number] | 'absent';

export interface WatchOptions {
  /** Asks for the state. Must settle: a poll that hangs is the last one. */
  readonly state: () => Promise<TargetState>;
  /** Mean time between an answer and the next question, milliseconds. */
  readonly intervalMs: number;
  /** Called once at most; the watch is over then. */
  readonly onDeregistered: (state: TargetState) => void;
  /** Every failed poll. */
  readonly onError: (error: unknown) => void;
  /** Every answer that differs from the one before. */
  readonly onChange?: (state: TargetState) => void;
  /** From 0 to 1; for tests. */
  readonly random?: () => number;
}

export interface Watch {
  /** No callback comes after it. */
  stop(): void;
}

/** Pauses are longer or shorter than the interval by this part of it, at most. */
const JITTER = 0.2;
/** Longest pause after failures, in intervals. */
const BACKOFF_MAX = 4;
/** Being absent counts when it is seen this often in a row: one stale answer must not drain a node that serves. */
const ABSENT_MIN = 2;

/** Starts to watch; the first question comes within one interval, at random, as nodes often start together. */
export function watchDeregistration(options: WatchOptions): Watch {
  const { state, intervalMs, onDeregistered, onError, onChange, random = Math.random } = options;
  const registration = new Registration();
  let timer: NodeJS.Timeout | undefined;
  let last: TargetState | undefined;
  let failures = 0;
  let over = false;

  function next(ms: number): void {
    timer = setTimeout(() => void state().then(answered, failed), ms);
    // Watching alone is no reason for a process to stay.
    timer.unref();
  }

  // The next question is asked only after the answer, so that polls never overlap however slow the answers are.
  function pause(): void {
    next(intervalMs * Math.min(2 ** failures, BACKOFF_MAX) * (1 - JITTER + 2 * JITTER * random()));
  }

  function answered(now: TargetState): void {
    if (over) return;
    failures = 0;
    const ended = registration.endsWith(now);
    if (now !== last) onChange?.(now);
    last = now;
    if (over) return;
    over = ended;
    if (ended) onDeregistered(now);
    else pause();
  }

  function failed(error: unknown): void {
    if (over) return;
    failures++;
    onError(error);
    if (!over) pause();
  }

  next(intervalMs * random());
  return {
    stop: () => {
      over = true;
      clearTimeout(timer);
    },
  };
}

/** What a target's states, one after the other, say about its registration. */
export class Registration {
  private registered = false;
  private absences = 0;

  /** Whether this state, after those before, means that the target has been taken out of service. */
  endsWith(state: TargetState): boolean {
    this.absences = state === 'absent' ? this.absences + 1 : 0;
    // Before ECS has registered this task it is absent, or draining when a task that crashed had the same address:
    // that is over, not this one.
    if (state === 'draining') return this.registered;
    if (state === 'absent') return this.registered && this.absences >= ABSENT_MIN;
    if (state !== 'unused' && state !== 'unavailable') this.registered = true;
    return false;
  }
}
