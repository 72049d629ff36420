/** Moves subscriptions that are behind forward, from the window or the history, until they are at the tail. */
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from './clock.ts';
import { nextStep } from './cursor.ts';
import type { Pages } from './pages.ts';
import { type Segment, toPieces } from './segment.ts';
import type { Subscription } from './subscription.ts';
import { retryDelay, type TailFollower } from './tail-follower.ts';

export interface CatchUpOptions {
  readonly channel: string;
  readonly follower: TailFollower;
  readonly pages: Pages;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Most bytes written to a connection at once. */
  readonly writeBytesMax: number;
  /** The subscription is at the tail: fan-out takes over. */
  readonly onLive: (subscription: Subscription) => void;
  /** Messages that it was owed are gone from the history. */
  readonly onLost: (subscription: Subscription) => void;
  readonly onError: (message: string, error: unknown) => void;
}

/** Reads that bring nothing before a cursor takes a pause. */
const FRUITLESS_READS_MAX = 3;

export class CatchUp {
  private readonly options: CatchUpOptions;

  constructor(options: CatchUpOptions) {
    this.options = options;
  }

  /** Goes on with a subscription that is catching up, unless that is under way. */
  advance(subscription: Subscription): void {
    if (!subscription.advancing && subscription.state === 'catching-up') void this.run(subscription);
  }

  private async run(subscription: Subscription): Promise<void> {
    subscription.advancing = true;
    try {
      let fruitless = 0;
      while (subscription.state === 'catching-up' && subscription.sink.isClear) {
        const step = nextStep(subscription.position, this.options.follower.tail);
        if (step.kind === 'wait') return;
        if (step.kind === 'live') this.options.onLive(subscription);
        else if (step.kind === 'window') this.replay(subscription, step.segments, 'window');
        else if (await this.readOn(subscription, step.after)) fruitless = 0;
        else if (++fruitless >= FRUITLESS_READS_MAX) await this.pause();
      }
    } catch (error) {
      const { channel, clock, onError } = this.options;
      onError(`A catch-up in ${channel} failed; it is tried again.`, error);
      clock.later(retryDelay(), () => this.advance(subscription));
    } finally {
      subscription.advancing = false;
    }
  }

  /** @returns whether the subscription moved */
  private async readOn(subscription: Subscription, after: number): Promise<boolean> {
    const { channel, follower, pages, onLost } = this.options;
    const { tail } = follower;
    const page = await pages.after(channel, tail.epoch, after);
    // Closed, or moved by a reset in the meantime.
    if (subscription.state !== 'catching-up' || tail !== follower.tail || subscription.position !== after) return true;
    if (page.epoch !== tail.epoch) {
      await follower.reload();
      return tail !== follower.tail;
    }
    if (page.lost) {
      onLost(subscription);
      return true;
    }
    if (!page.segment) return false;
    this.replay(subscription, [page.segment], 'history');
    // The history may be ahead of this tail; the subscription would wait for ever for what nobody announced.
    follower.follow(page.segment.last);
    return true;
  }

  /** Writes until the connection is behind; what is left is found again from its position. */
  private replay(subscription: Subscription, segments: readonly Segment[], source: 'window' | 'history'): void {
    const begin = subscription.position;
    for (const { bytes, last } of toPieces(segments, this.options.writeBytesMax)) {
      subscription.position = last;
      if (!subscription.sink.write(bytes)) break;
    }
    this.options.metrics.add('holdfast.replayed', subscription.position - begin, { source });
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => void this.options.clock.later(retryDelay(), resolve));
  }
}
