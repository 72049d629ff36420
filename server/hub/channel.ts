/**
 * One channel on this node: drives its tail (holds and fills gaps) and moves its subscriptions between live and
 * catching up. All delivery goes through here. Never decides what is missing (`tail.ts`) or where a cursor reads (`cursor.ts`).
 */

import type { Backplane, Batch } from '../backplane/types.ts';
import { AppError } from '../errors.ts';
import type { Position, RecoveryFailure } from '../protocol/messages.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { recordFanout } from '../telemetry/tracing.ts';
import type { Clock } from './clock.ts';
import { nextStep } from './cursor.ts';
import type { Pages } from './pages.ts';
import { joinBytes, Segment } from './segment.ts';
import { Subscription } from './subscription.ts';
import { Tail, type TailLimits } from './tail.ts';
import type { ChannelTop, TopsLoader } from './tops-loader.ts';
import type { Sink, SubscribeRequest } from './types.ts';

/** What a channel shares with all others of the hub. */
export interface ChannelContext {
  readonly backplane: Backplane;
  readonly pages: Pages;
  readonly tops: TopsLoader;
  readonly clock: Clock;
  readonly limits: TailLimits;
  /** How long to wait for what is missing before reading it, while the backplane is up. Milliseconds. */
  readonly gapHoldMs: number;
  readonly metrics: Metrics;
  readonly markForFlush: (channel: Channel) => void;
  readonly onEmpty: (channel: Channel) => void;
  readonly onError: (message: string, error: unknown) => void;
}

/** Batches kept while the tail's position is still being read; a hole that an overflow leaves is read from the history. */
const EARLY_MAX = 64;
/** Reads that bring nothing before an announcement is disbelieved, or before a cursor takes a pause. */
const FRUITLESS_READS_MAX = 3;
/** Pause before reading again after the history failed: 0.25 to 1 s, jittered so that channels do not retry in step. */
const retryDelay = () => 250 + Math.random() * 750;

interface Placement {
  readonly offset: number;
  readonly recovered: boolean;
  readonly reason?: RecoveryFailure;
}

export class Channel {
  readonly name: string;
  private readonly context: ChannelContext;
  private tail: Tail | undefined;
  private opening: Promise<void> | undefined;
  private early: Batch[] = [];
  private earlyTop: ChannelTop | undefined;
  private readonly live = new Set<Subscription>();
  private readonly behind = new Set<Subscription>();
  /** Subscribers that have been promised a place but have none yet; they keep the channel open. */
  private arriving = 0;
  private filling = false;
  private closed = false;
  private suspecting = false;
  /** Position reads begun, and the newest of them that was adopted. */
  private reloads = 0;
  private adopted = 0;

  constructor(name: string, context: ChannelContext) {
    this.name = name;
    this.context = context;
  }

  get subscriptionCount(): number {
    return this.live.size + this.behind.size;
  }

  /** @throws AppError `unavailable` when the position cannot be read from the history */
  async subscribe(sink: Sink, request: SubscribeRequest): Promise<Subscription> {
    this.arriving++;
    try {
      await this.open();
      const placement = request.recover ? await this.locate(request.recover) : undefined;
      return this.place(new Subscription(sink, request.onPosition), placement);
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

  resume(subscription: Subscription): void {
    this.advance(subscription);
  }

  /** New messages, from this node's own commit or from the backplane. */
  offer(batch: Batch): void {
    if (!this.tail) {
      this.early.push(batch);
      if (this.early.length > EARLY_MAX) this.early.shift();
      return;
    }
    if (batch.epoch !== this.tail.epoch) {
      this.suspectEpoch();
      return;
    }
    if (batch.first + batch.count - 1 <= this.tail.top) return;
    try {
      this.tail.offer(Segment.fromBody(batch.first, batch.count, batch.body, batch.createdAt, batch.traceparent));
    } catch (error) {
      this.context.onError(`A malformed batch for ${this.name} was dropped.`, error);
    }
    this.act('hold');
  }

  /** The history's epoch was seen by a check. */
  noteEpoch(epoch: string): void {
    if (this.tail && this.tail.epoch !== epoch) this.suspectEpoch();
  }

  /** The history's top was seen by a check. */
  noteTop(epoch: string, top: number): void {
    if (!this.tail) {
      // The position being read may be older than this check, and the check will not name these messages again.
      if (this.earlyTop?.epoch !== epoch || top > this.earlyTop.top) this.earlyTop = { epoch, top };
      return;
    }
    if (epoch !== this.tail.epoch) {
      this.suspectEpoch();
      return;
    }
    this.tail.noteTop(top);
    this.act('tops');
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
    const tail = this.tail;
    if (!tail || this.closed) return;
    const segments = tail.flush();
    if (segments.length > 0) this.fanOut(segments, tail.flushed);
    for (const subscription of this.behind) this.advance(subscription);
  }

  private fanOut(segments: readonly Segment[], flushed: number): void {
    const begin = this.context.clock.now();
    const bytes = joinBytes(segments);
    const recipients = this.live.size;
    for (const subscription of this.live) {
      if (!subscription.sink.write(bytes)) this.fallBehind(subscription, flushed);
    }
    this.recordFanOut(segments, recipients, (this.context.clock.now() - begin) / 1000);
  }

  private recordFanOut(segments: readonly Segment[], recipients: number, seconds: number): void {
    if (recipients === 0) return;
    const { metrics } = this.context;
    const newest = segments.at(-1) as Segment;
    metrics.add('holdfast.deliveries', (newest.last - (segments[0] as Segment).first + 1) * recipients);
    metrics.record('holdfast.delivery.lag.seconds', Math.max(0, Date.now() - newest.createdAt) / 1000);
    for (const { traceparent } of segments) if (traceparent) recordFanout(traceparent, this.name, recipients, seconds);
  }

  private fallBehind(subscription: Subscription, position: number): void {
    this.live.delete(subscription);
    this.behind.add(subscription);
    subscription.state = 'catching-up';
    subscription.position = position;
  }

  private open(): Promise<void> {
    this.opening ??= this.loadTail().catch((error: unknown) => {
      // The next subscriber tries again.
      this.opening = undefined;
      throw error;
    });
    return this.opening;
  }

  private async loadTail(): Promise<void> {
    // In this order: a message committed after the read is announced to a subscription that stands already.
    await this.context.backplane.subscribe(this.name);
    const { epoch, top } = await this.context.tops.load(this.name);
    this.tail = new Tail(epoch, top, this.context.limits);
    const early = this.early;
    this.early = [];
    for (const batch of early) this.offer(batch);
    if (this.earlyTop) this.noteTop(this.earlyTop.epoch, this.earlyTop.top);
    this.earlyTop = undefined;
  }

  private async locate(recover: Position): Promise<Placement> {
    const { metrics } = this.context;
    const placement = await this.findPlace(recover);
    metrics.add('holdfast.recoveries', 1, { result: placement.reason ?? 'recovered' });
    return placement;
  }

  /** Whether everything after the position can be given; decided before the reply, because a recovery is never partial. */
  private async findPlace(recover: Position): Promise<Placement> {
    // The client may come from a node that has seen more than this one.
    if (recover.epoch !== this.currentTail.epoch || recover.offset > this.currentTail.known) await this.reload();
    for (let reads = 0; reads < FRUITLESS_READS_MAX; reads++) {
      const placement = this.placeAtTail(recover) ?? (await this.placeInHistory(recover));
      if (placement) return placement;
    }
    const text = `The history of ${this.name} could not be read; subscribe again.`;
    throw new AppError('unavailable', text, { retryAfterMs: 1_000 });
  }

  /** The answer when the tail alone can give it. */
  private placeAtTail({ epoch, offset }: Position): Placement | undefined {
    const tail = this.currentTail;
    if (epoch !== tail.epoch) return this.refused('epoch_changed');
    if (offset > tail.known) return this.refused('position_ahead');
    return offset >= tail.flushed || tail.windowAfter(offset) ? { offset, recovered: true } : undefined;
  }

  /** The answer when the window does not reach back far enough; undefined when the read was overtaken. */
  private async placeInHistory({ epoch, offset }: Position): Promise<Placement | undefined> {
    const page = await this.context.pages.after(this.name, epoch, offset);
    if (page.epoch !== epoch) await this.reload();
    else if (page.lost) return this.refused('history_expired');
    else if (page.segment && this.currentTail.epoch === epoch) return { offset, recovered: true };
    return undefined;
  }

  private refused(reason: RecoveryFailure): Placement {
    return { offset: this.currentTail.flushed, recovered: false, reason };
  }

  /** Replies and begins delivery in one synchronous step, so that nothing can come between. */
  private place(subscription: Subscription, placement: Placement | undefined): Subscription {
    const tail = this.currentTail;
    const { offset, recovered, reason } = placement ?? { offset: tail.flushed, recovered: false };
    // `known`, not `top`: what is announced is about to arrive, and is history to this subscriber.
    const top = Math.max(tail.known, offset);
    subscription.position = offset;
    this.behind.add(subscription);
    subscription.onPosition({
      channel: this.name,
      epoch: tail.epoch,
      offset,
      top,
      recovered,
      ...(reason && { reason }),
    });
    this.advance(subscription);
    return subscription;
  }

  private get currentTail(): Tail {
    if (!this.tail) throw new AppError('unavailable', `${this.name} is not open on this node; subscribe again.`);
    return this.tail;
  }

  /**
   * Reads the exact position, by a read that begins now, and adopts it; a new epoch begins a new tail.
   * @throws AppError `unavailable`
   */
  private async reload(): Promise<void> {
    const turn = ++this.reloads;
    const top = await this.context.tops.load(this.name);
    // Answers may overtake each other; an older one must not bring back an old epoch.
    if (turn < this.adopted) return;
    this.adopted = turn;
    this.adopt(top);
  }

  /** An epoch was named that is not this tail's: look, unless a look is under way. The next check of the hub asks again. */
  private suspectEpoch(): void {
    if (this.suspecting) return;
    this.suspecting = true;
    this.reload()
      .catch((error: unknown) => this.context.onError(`The position of ${this.name} could not be read.`, error))
      .finally(() => {
        this.suspecting = false;
      });
  }

  private adopt({ epoch, top }: ChannelTop): void {
    if (!this.tail || this.closed) return;
    if (epoch === this.tail.epoch) {
      this.tail.noteTop(top);
      this.act('reload');
      return;
    }
    this.tail = new Tail(epoch, top, this.context.limits);
    for (const subscription of [...this.live, ...this.behind]) this.tellLost(subscription, 'epoch_changed');
  }

  /** Says that history is missing and goes on from the tail. */
  private tellLost(subscription: Subscription, reason: RecoveryFailure): void {
    const { epoch, flushed, known } = this.currentTail;
    this.fallBehind(subscription, flushed);
    subscription.onPosition({ channel: this.name, epoch, offset: flushed, top: known, recovered: false, reason });
    this.advance(subscription);
  }

  private act(cause: 'hold' | 'tops' | 'reload'): void {
    const tail = this.currentTail;
    if (tail.hasUnflushed) this.context.markForFlush(this);
    if (tail.need.kind === 'nothing' || this.filling) return;
    this.filling = true;
    const fill = () => void this.fill(cause);
    if (this.context.backplane.isUp) this.context.clock.later(this.context.gapHoldMs, fill);
    else this.context.clock.soon(fill);
  }

  /** Reads what the tail lacks, until it lacks nothing. */
  private async fill(cause: 'hold' | 'tops' | 'reload'): Promise<void> {
    let fruitless = 0;
    let counted = false;
    while (!this.closed) {
      const tail = this.currentTail;
      if (tail.need.kind === 'nothing') break;
      if (!counted) this.context.metrics.add('holdfast.gaps', 1, { cause });
      counted = true;
      try {
        const grew = await this.fillOnce(tail, tail.need.after);
        if (grew) fruitless = 0;
        else if (++fruitless >= FRUITLESS_READS_MAX) this.disbelieve(tail);
        else await this.pause(this.context.gapHoldMs);
      } catch (error) {
        this.context.onError(`A gap of ${this.name} could not be read yet.`, error);
        await this.pause(retryDelay());
      }
    }
    this.filling = false;
    if (!this.closed && this.currentTail.hasUnflushed) this.context.markForFlush(this);
  }

  /** @returns whether the read brought anything */
  private async fillOnce(tail: Tail, after: number): Promise<boolean> {
    const page = await this.context.pages.after(this.name, tail.epoch, after);
    if (this.closed || tail !== this.tail) return true;
    if (page.epoch !== tail.epoch) {
      await this.reload();
      return tail !== this.tail;
    }
    if (page.lost) {
      tail.skipTo(page.top);
      for (const subscription of [...this.live]) this.tellLost(subscription, 'history_expired');
      return true;
    }
    tail.noteTop(page.top);
    if (page.segment) tail.offer(page.segment);
    if (tail.hasUnflushed) this.context.markForFlush(this);
    return tail.top > after;
  }

  /** What was announced is not in the history, however often one looks: a stray payload, not a message. */
  private disbelieve(tail: Tail): void {
    this.context.onError(`${this.name} was announced beyond its history; ignored.`, undefined);
    tail.confirmTop(tail.top);
  }

  private advance(subscription: Subscription): void {
    if (!subscription.advancing && subscription.state === 'catching-up') void this.catchUp(subscription);
  }

  private async catchUp(subscription: Subscription): Promise<void> {
    subscription.advancing = true;
    let fruitless = 0;
    try {
      while (subscription.state === 'catching-up' && subscription.sink.isClear) {
        const step = nextStep(subscription.position, this.currentTail);
        if (step.kind === 'wait') return;
        if (step.kind === 'live') {
          this.behind.delete(subscription);
          this.live.add(subscription);
          subscription.state = 'live';
        } else if (step.kind === 'window') {
          this.replay(subscription, step.segments, 'window');
        } else if (!(await this.readOn(subscription, step.after)) && ++fruitless >= FRUITLESS_READS_MAX) {
          await this.pause(retryDelay());
        }
      }
    } catch (error) {
      this.context.onError(`A catch-up in ${this.name} failed; it is tried again.`, error);
      this.context.clock.later(retryDelay(), () => this.advance(subscription));
    } finally {
      subscription.advancing = false;
    }
  }

  /** @returns whether the subscription moved */
  private async readOn(subscription: Subscription, after: number): Promise<boolean> {
    const tail = this.currentTail;
    const page = await this.context.pages.after(this.name, tail.epoch, after);
    // A reset in the meantime has moved the subscription already.
    if (subscription.state !== 'catching-up' || tail !== this.tail || subscription.position !== after) return true;
    if (page.epoch !== tail.epoch) {
      await this.reload();
      return tail !== this.tail;
    }
    if (page.lost) {
      const { epoch, flushed, known } = tail;
      subscription.position = flushed;
      subscription.onPosition({
        channel: this.name,
        epoch,
        offset: flushed,
        top: known,
        recovered: false,
        reason: 'history_expired',
      });
      return true;
    }
    if (!page.segment) return false;
    this.replay(subscription, [page.segment], 'history');
    // The history may be ahead of this tail; then it has to follow, or the subscription would wait for ever.
    tail.noteTop(page.segment.last);
    this.act('hold');
    return true;
  }

  private replay(subscription: Subscription, segments: readonly Segment[], source: 'window' | 'history'): void {
    const last = (segments.at(-1) as Segment).last;
    this.context.metrics.add('holdfast.replayed', last - subscription.position, { source });
    subscription.position = last;
    subscription.sink.write(joinBytes(segments));
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.context.clock.later(ms, resolve));
  }

  private closeWhenEmpty(): void {
    if (this.closed || this.arriving > 0 || this.subscriptionCount > 0) return;
    this.closed = true;
    this.context.onEmpty(this);
  }
}
