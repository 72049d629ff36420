/**
 * Detects that the load balancer takes this node out of service, which on ECS happens long before SIGTERM, by polling the
 * state of its target. It knows only the names of the states, no AWS API. It never treats an error as a deregistration: an
 * unavailable or throttled API must not drain all nodes.
 */

/** States of a target in Elastic Load Balancing. */
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
 * `absent`: not registered. AWS reports this as `unused` with the reason `Target.NotRegistered`. `unused` here means that no
 * listener uses the target group, as during a blue/green deployment. That is not a deregistration, because the deployment
 * may be rolled back.
 */
export type TargetState = (typeof AWS_STATES)[number] | 'absent';

export interface WatchOptions {
  /** Reads the state. It must settle, because the next poll waits for it. */
  readonly state: () => Promise<TargetState>;
  /** Mean time between an answer and the next poll, milliseconds. */
  readonly intervalMs: number;
  /** Called at most once. The watch has then ended. */
  readonly onDeregistered: (state: TargetState) => void;
  /** Called for every failed poll. */
  readonly onError: (error: unknown) => void;
  /** Called for every answer that differs from the one before. */
  readonly onChange?: (state: TargetState) => void;
  /** Random number from 0 to 1. Tests replace it. */
  readonly random?: () => number;
}

export interface Watch {
  /** No callback is called after it. */
  stop(): void;
}

/** Largest deviation of a pause from its mean, as a share of the mean. */
const JITTER = 0.2;
/** Longest mean pause after failures, in intervals. */
const BACKOFF_MAX = 4;
/** `absent` counts after this many polls in a row, because one stale answer must not drain a node in service. */
const ABSENT_MIN = 2;

/** Starts to poll. The first poll comes at a random time within one interval, because nodes often start together. */
export function watchDeregistration(options: WatchOptions): Watch {
  const { state, intervalMs, onDeregistered, onError, onChange, random = Math.random } = options;
  const registration = new Registration();
  let timer: NodeJS.Timeout | undefined;
  let last: TargetState | undefined;
  let failures = 0;
  let over = false;

  function next(ms: number): void {
    timer = setTimeout(() => void state().then(answered, failed), ms);
    timer.unref();
  }

  // Called only after an answer, so that polls never overlap.
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

/** Derives from the sequence of states whether the target has been deregistered. */
export class Registration {
  private registered = false;
  private absences = 0;

  /** Returns whether this state, after those before, means a deregistration. */
  endsWith(state: TargetState): boolean {
    this.absences = state === 'absent' ? this.absences + 1 : 0;
    // Before ECS registers this task, its target is absent. It is draining when an earlier task had the same address.
    if (state === 'draining') return this.registered;
    if (state === 'absent') return this.registered && this.absences >= ABSENT_MIN;
    if (state !== 'unused' && state !== 'unavailable') this.registered = true;
    return false;
  }
}
