/** Limits of each user on this node, over all connections and HTTP requests. Other nodes count separately. Drops idle users. */
import { AppError } from '../errors.ts';
import { TokenBucket } from './token-bucket.ts';

interface UserState {
  connections: number;
  readonly publishes: TokenBucket;
  usedAt: number;
}

/** How long a user without a connection is kept after the last use, milliseconds. A bucket is full again after 2,000. */
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

  /** Counts a connection. Returns false, and counts none, when the user has the maximum. */
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
