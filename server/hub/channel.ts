/**
 * One channel on this node: its subscriptions, who of them is live, and fan-out to those. What arrives is its follower's work
 * (`follower.ts`), getting a subscription to the tail is `catch-up.ts`.
 */
import type { Batch } from '../backplane/types.ts';
import type { RecoveryFailure } from '../protocol/messages.ts';
import { recordFanout } from '../telemetry/tracing.ts';
import { CatchUp } from './catch-up.ts';
import { findRecoveryStart, type RecoveryStart } from './recovery-start.ts';
import { type Piece, type Segment, toPieces } from './segment.ts';
import { Subscription } from './subscription.ts';
import { TailFollower, type TailFollowerContext } from './tail-follower.ts';
import type { Sink, SubscribeRequest } from './types.ts';

/** What a channel shares with all others of the hub. */
export interface ChannelContext extends TailFollowerContext {
  /** Most bytes written to a connection at once: it may be that far over its high-water mark. */
  readonly writeBytesMax: number;
  readonly markForFlush: (channel: Channel) => void;
  readonly onEmpty: (channel: Channel) => void;
}

type CatchUpCause = 'subscribed' | 'recovering' | 'slow' | 'lost';

/** Two clocks that are kept by NTP differ by less. */
const CLOCK_TOLERANCE_MS = 20;

export class Channel {
  readonly name: string;
  private readonly context: ChannelContext;
  private readonly follower: TailFollower;
  private readonly catchUp: CatchUp;
  private readonly live = new Set<Subscription>();
  private readonly behind = new Set<Subscription>();
  /** Subscribers that have been promised a place but have none yet; they keep the channel open. */
  private arriving = 0;
  private closed = false;

  constructor(name: string, context: ChannelContext) {
    this.name = name;
    this.context = context;
    this.follower = new TailFollower(name, context, {
      onGrown: () => context.markForFlush(this),
      onReset: () => this.tellLost([...this.live, ...this.behind], 'epoch_changed'),
      // Those who are behind find out when they read.
      onSkipped: () => this.tellLost([...this.live], 'history_expired'),
    });
    const { pages, clock, metrics, onError } = context;
    this.catchUp = new CatchUp({
      channel: name,
      follower: this.follower,
      pages,
      clock,
      metrics,
      writeBytesMax: context.writeBytesMax,
      onLive: (subscription) => this.goLive(subscription),
      onLost: (subscription) => this.tellLost([subscription], 'history_expired'),
      onError,
    });
  }

  /** Epoch and newest offset of what is here; undefined while it is being opened. */
  get position(): { readonly epoch: string; readonly top: number } | undefined {
    if (!this.follower.isOpen) return undefined;
    const { epoch, top } = this.follower.tail;
    return { epoch, top };
  }

  /** Whether there are messages that the tail knows of and does not hold. */
  get isBehind(): boolean {
    return this.follower.isOpen && this.follower.tail.need.kind !== 'nothing';
  }

  /** Subscriptions that are not live. */
  get behindCount(): number {
    return this.behind.size;
  }

  get subscriptionCount(): number {
    return this.live.size + this.behind.size;
  }

  /** @throws AppError `unavailable` when the position cannot be read from the history */
  async subscribe(sink: Sink, request: SubscribeRequest): Promise<Subscription> {
    this.arriving++;
    try {
      await this.follower.open();
      const start =
        request.recover && (await findRecoveryStart(this.name, this.follower, this.context.pages, request.recover));
      return this.place(new Subscription(sink, request.onPosition), start);
    } finally {
      this.arriving--;
      this.closeWhenEmpty();
    }
  }

  unsubscribe(subscription: Subscription): void {
    subscription.state = 'closed';
    this.live.delete(subscription);
    this.behind.delete(subscription);
    this.closeWhenEmpty();
  }

  /** The subscription's connection has sent everything. */
  resume(subscription: Subscription): void {
    this.catchUp.advance(subscription);
  }

  /** New messages, from this node's own commit or from the backplane. */
  offer(batch: Batch): void {
    this.follower.offer(batch);
  }

  /** The history's epoch was seen by a check. */
  noteEpoch(epoch: string): void {
    this.follower.noteEpoch(epoch);
  }

  /** The history's top was seen by a check. */
  noteTop(epoch: string, top: number): void {
    this.follower.noteTop(epoch, top);
  }

  /** Writes an ephemeral event to everybody who is live and has nothing waiting. */
  deliverEvent(frame: Buffer, except?: Sink): void {
    let dropped = this.behind.size;
    for (const { sink } of this.live) {
      if (sink === except) continue;
      if (sink.isIdle) sink.write(frame);
      else dropped++;
    }
    if (dropped > 0) this.context.metrics.add('holdfast.events.dropped', dropped);
  }

  /** Fan-out: what is new goes to every live subscription, one write each. */
  flush(): void {
    if (!this.follower.isOpen || this.closed) return;
    const segments = this.follower.tail.flush();
    if (segments.length > 0) this.fanOut(segments);
    for (const subscription of this.behind) this.catchUp.advance(subscription);
  }

  private fanOut(segments: readonly Segment[]): void {
    const begin = this.context.clock.now();
    const pieces = toPieces(segments, this.context.writeBytesMax);
    const recipients = this.live.size;
    for (const subscription of this.live) this.writeLive(subscription, pieces);
    if (recipients > 0) this.recordFanOut(segments, recipients, (this.context.clock.now() - begin) / 1000);
  }

  private writeLive(subscription: Subscription, pieces: readonly Piece[]): void {
    for (const { bytes, last } of pieces) {
      if (subscription.sink.write(bytes)) continue;
      this.fallBehind(subscription, last, 'slow');
      return;
    }
  }

  private recordFanOut(segments: readonly Segment[], recipients: number, seconds: number): void {
    const { metrics } = this.context;
    const last = segments.at(-1) as Segment;
    const messages = last.last - (segments[0] as Segment).first + 1;
    metrics.add('holdfast.deliveries', messages * recipients);
    const now = Date.now();
    // Each, and not the newest alone: after a pause one flush writes all that is late.
    for (const { oldest } of segments)
      metrics.record('holdfast.delivery.lag.seconds', Math.max(0, now - oldest) / 1000);
    if (now - last.newest < -CLOCK_TOLERANCE_MS) metrics.add('holdfast.clock.disagreements', 1);
    metrics.record('holdfast.fanout.recipients', recipients);
    const traceparents = segments.flatMap((segment) => segment.traceparent ?? []);
    recordFanout({ traceparents, channel: this.name, messages, recipients, seconds });
  }

  private goLive(subscription: Subscription): void {
    this.behind.delete(subscription);
    this.live.add(subscription);
    subscription.state = 'live';
  }

  private fallBehind(subscription: Subscription, position: number, cause: CatchUpCause): void {
    this.context.metrics.add('holdfast.catchups', 1, { cause });
    this.live.delete(subscription);
    this.behind.add(subscription);
    subscription.state = 'catching-up';
    subscription.position = position;
  }

  /** Replies and begins delivery in one synchronous step, so that nothing can come between. */
  private place(subscription: Subscription, start: RecoveryStart | undefined): Subscription {
    const { tail } = this.follower;
    const { offset, recovered, reason } = start ?? { offset: tail.flushed, recovered: false };
    if (start) this.context.metrics.add('holdfast.recoveries', 1, { result: reason ?? 'recovered' });
    this.fallBehind(subscription, offset, start ? 'recovering' : 'subscribed');
    subscription.onPosition({
      channel: this.name,
      epoch: tail.epoch,
      offset,
      // `known`, not `top`: what is announced is about to arrive, and is history to this subscriber.
      top: Math.max(tail.known, offset),
      recovered,
      ...(reason && { reason }),
    });
    this.catchUp.advance(subscription);
    return subscription;
  }

  /** Says that history is missing and goes on from the tail. */
  private tellLost(subscriptions: readonly Subscription[], reason: RecoveryFailure): void {
    const { epoch, flushed, known } = this.follower.tail;
    for (const subscription of subscriptions) {
      this.fallBehind(subscription, flushed, 'lost');
      subscription.onPosition({ channel: this.name, epoch, offset: flushed, top: known, recovered: false, reason });
      this.catchUp.advance(subscription);
    }
  }

  private closeWhenEmpty(): void {
    if (this.closed || this.arriving > 0 || this.subscriptionCount > 0) return;
    this.closed = true;
    this.follower.close();
    this.context.onEmpty(this);
  }
}
