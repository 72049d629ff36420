/**
 * One channel on this node: connects its parts. `tail-follower.ts` keeps the tail, `subscribers.ts` the subscriptions;
 * `fan-out.ts` writes to those that are live, `catch-up.ts` to the others.
 */
import { CatchUp } from './catch-up.ts';
import { type FanOutContext, fanOut } from './fan-out.ts';
import type { Flushable, Flusher } from './flusher.ts';
import { findRecoveryStart } from './recovery-start.ts';
import { Subscribers } from './subscribers.ts';
import { Subscription } from './subscription.ts';
import { TailFollower, type TailFollowerContext } from './tail-follower.ts';
import type { Sink, SubscribeRequest, SubscriptionHandle } from './types.ts';

/** What all channels of a hub share. */
export interface ChannelContext extends TailFollowerContext, FanOutContext {
  readonly flusher: Flusher;
  /** The last subscription is gone: the channel is closed and must not be used again. */
  readonly onEmpty: (channel: Channel) => void;
}

export class Channel implements Flushable {
  readonly name: string;
  readonly follower: TailFollower;
  readonly subscribers: Subscribers;
  private readonly context: ChannelContext;
  private readonly catchUp: CatchUp;
  /** Subscribe calls in progress; they keep the channel open. */
  private arriving = 0;

  constructor(name: string, context: ChannelContext) {
    this.name = name;
    this.context = context;
    this.subscribers = new Subscribers(name, context.metrics);
    this.follower = new TailFollower(name, context, {
      onGrown: () => context.flusher.mark(this),
      onReset: () => this.restartAll(),
      onSkipped: () => this.restartLive(),
    });
    this.catchUp = new CatchUp(name, this.follower, this.subscribers, context);
  }

  /** @throws AppError `unavailable` when the position cannot be read from the history */
  async subscribe(sink: Sink, { recover, onPosition }: SubscribeRequest): Promise<SubscriptionHandle> {
    this.arriving++;
    try {
      await this.follower.open();
      const { pages } = this.context;
      const recovery = recover && (await findRecoveryStart(this.name, this.follower, pages, recover));
      const subscription = new Subscription(sink, onPosition);
      this.subscribers.add(subscription, this.follower.tail, recovery);
      this.catchUp.advance(subscription);
      return this.handleOf(subscription);
    } finally {
      this.arriving--;
      this.closeWhenEmpty();
    }
  }

  /** Writes an ephemeral event to every live subscription whose connection has no unsent bytes; drops it for the others. */
  deliverEvent(frame: Buffer, except?: Sink): void {
    const { live, behind } = this.subscribers;
    let dropped = behind.size;
    for (const { sink } of live) {
      if (sink === except) continue;
      if (sink.isIdle) sink.write(frame);
      else dropped++;
    }
    if (dropped > 0) this.context.metrics.add('holdfast.events.dropped', dropped);
  }

  /** Fans out what is new, and moves the other subscriptions forward. */
  flush(): void {
    if (!this.follower.isOpen) return;
    const segments = this.follower.tail.flush();
    if (segments.length > 0) fanOut(this.name, segments, this.subscribers, this.context);
    for (const subscription of this.subscribers.behind) this.catchUp.advance(subscription);
  }

  private handleOf(subscription: Subscription): SubscriptionHandle {
    return {
      channel: this.name,
      resume: () => this.catchUp.advance(subscription),
      close: () => {
        this.subscribers.remove(subscription);
        this.closeWhenEmpty();
      },
    };
  }

  private restartAll(): void {
    const { live, behind } = this.subscribers;
    for (const subscription of [...live, ...behind]) this.restart(subscription, 'epoch_changed');
  }

  /** Only live subscriptions: the others find out at their next read. */
  private restartLive(): void {
    for (const subscription of [...this.subscribers.live]) this.restart(subscription, 'history_expired');
  }

  private restart(subscription: Subscription, reason: 'epoch_changed' | 'history_expired'): void {
    this.subscribers.restart(subscription, this.follower.tail, reason);
    this.catchUp.advance(subscription);
  }

  private closeWhenEmpty(): void {
    if (this.follower.isClosed || this.arriving > 0 || this.subscribers.size > 0) return;
    this.follower.close();
    this.context.onEmpty(this);
  }
}
