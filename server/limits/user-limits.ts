/** What one user may do on this node, over all of its connections and HTTP requests. Forgets users that are gone. */
import { AppError } from '../errors.ts';
import { TokenBucket } from './token-bucket.ts';

interface UserState {
  connections: number;
  readonly publishes: TokenBucket;
  usedAt: number;
}

/** Without a connection, a user's publish rate is remembered for this long; its bucket is full again by then. */
const FORGET_AFTER_MS = 10_000;

export class UserLimits {
  private readonly maxConnections: number;
  private readonly publishRate: number;
  private readonly users = new Map<string, UserState>();
  private sweptAt = 0;

  constructor(maxConnections: number, publishRate: number) {
    this.maxConnections = maxConnections;
    this.publishRate = publishRate;
  }

  /** Counts a connection in. False: the user has as many as it may have. */
  addConnection(user: string): boolean {
    const state = this.stateOf(user);
    if (state.connections >= this.maxConnections) return false;
    state.connections++;
    return true;
  }

  removeConnection(user: string): void {
    const state = this.users.get(user);
    if (state) state.connections--;
  }

  /** @throws AppError `rate_limited` with the time to wait */
  requirePublishRate(user: string): void {
    const waitMs = this.stateOf(user).publishes.take(performance.now());
    if (waitMs > 0) throw new AppError('rate_limited', 'This user publishes too fast.', { retryAfterMs: waitMs });
  }

  private stateOf(user: string): UserState {
    const now = performance.now();
    this.sweep(now);
    let state = this.users.get(user);
    if (!state) {
      state = { connections: 0, publishes: new TokenBucket(this.publishRate, this.publishRate * 2, now), usedAt: now };
      this.users.set(user, state);
    }
    state.usedAt = now;
    return state;
  }

  private sweep(now: number): void {
    if (now - this.sweptAt < FORGET_AFTER_MS) return;
    this.sweptAt = now;
    for (const [user, state] of this.users) {
      if (state.connections === 0 && now - state.usedAt > FORGET_AFTER_MS) this.users.delete(user);
    }
  }
}
