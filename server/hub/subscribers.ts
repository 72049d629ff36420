/** The subscriptions of one channel on this node, and which of them are live. Never reads the history and never writes messages. */
import type { RecoveryFailure } from '../protocol/messages.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { RecoveryStart } from './recovery-start.ts';
import type { Subscription } from './subscription.ts';
import type { Tail } from './tail.ts';

/** Label values of `holdfast.catchups`. */
type CatchUpCause = 'subscribed' | 'recovering' | 'slow' | 'lost';

export class Subscribers {
  readonly live = new Set<Subscription>();
  /** Those that are catching up. */
  readonly behind = new Set<Subscription>();
  private readonly channel: string;
  private readonly metrics: Metrics;

  constructor(channel: string, metrics: Metrics) {
    this.channel = channel;
    this.metrics = metrics;
  }

  get size(): number {
    return this.live.size + this.behind.size;
  }

  /** Adds a subscription and reports its position. Synchronous, so that no message can come between the two. */
  add(subscription: Subscription, tail: Tail, recovery: RecoveryStart | undefined): void {
    if (recovery) this.metrics.add('holdfast.recoveries', 1, { result: recovery.reason ?? 'recovered' });
    const start = recovery ?? { offset: tail.flushed, recovered: false };
    this.place(subscription, tail, start, recovery ? 'recovering' : 'subscribed');
  }

  /** Reports that messages are missing, and places the subscription at the tail. */
  restart(subscription: Subscription, tail: Tail, reason: RecoveryFailure): void {
    this.place(subscription, tail, { offset: tail.flushed, recovered: false, reason }, 'lost');
  }

  /** A live subscription took everything up to `position`, and its connection takes no more for now. */
  fallBehind(subscription: Subscription, position: number): void {
    this.beginCatchUp(subscription, position, 'slow');
  }

  goLive(subscription: Subscription): void {
    this.behind.delete(subscription);
    this.live.add(subscription);
    subscription.state = 'live';
  }

  remove(subscription: Subscription): void {
    subscription.state = 'closed';
    this.live.delete(subscription);
    this.behind.delete(subscription);
  }

  private place(subscription: Subscription, tail: Tail, start: RecoveryStart, cause: CatchUpCause): void {
    const { offset, recovered, reason } = start;
    this.beginCatchUp(subscription, offset, cause);
    subscription.onPosition({
      channel: this.channel,
      epoch: tail.epoch,
      offset,
      // `known`, not `top`: announced messages that have not arrived are replayed too.
      top: Math.max(tail.known, offset),
      recovered,
      ...(reason && { reason }),
    });
  }

  private beginCatchUp(subscription: Subscription, position: number, cause: CatchUpCause): void {
    this.metrics.add('holdfast.catchups', 1, { cause });
    this.live.delete(subscription);
    this.behind.add(subscription);
    subscription.state = 'catching-up';
    subscription.position = position;
  }
}
