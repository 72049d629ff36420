/**
 * Moves subscriptions that are not live forward, with messages from the window or the history, until they reach the end of the tail
 * and go live. Never adds messages to the tail: it reports through `notePageEnd` how far the history reaches, and calls `reload`
 * when the epoch differs.
 */
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from './clock.ts';
import { nextStep } from './cursor.ts';
import type { Pages } from './pages.ts';
import { retryDelay } from './retry-delay.ts';
import { type Segment, toPieces } from './segment.ts';
import type { Subscribers } from './subscribers.ts';
import type { Subscription } from './subscription.ts';
import type { TailSource } from './tail.ts';

/** What catch-up needs of the tail. */
export interface CatchUpSource extends TailSource {
  /** A page of the current epoch ends at `last`; the tail has to get there too. */
  notePageEnd(last: number): void;
}

export interface CatchUpContext {
  readonly pages: Pages;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Most bytes per write to a connection. */
  readonly writeBytesMax: number;
  readonly onError: (message: string, error: unknown) => void;
}

/** Reads without a result before a catch-up pauses. */
const FRUITLESS_READS_MAX = 3;

export class CatchUp {
  private readonly channel: string;
  private readonly source: CatchUpSource;
  private readonly subscribers: Subscribers;
  private readonly context: CatchUpContext;

  constructor(channel: string, source: CatchUpSource, subscribers: Subscribers, context: CatchUpContext) {
    this.channel = channel;
    this.source = source;
    this.subscribers = subscribers;
    this.context = context;
  }

  /** Continues a subscription that is catching up, unless a run is in progress. */
  advance(subscription: Subscription): void {
    if (!subscription.advancing && subscription.state === 'catching-up') void this.run(subscription);
  }

  private async run(subscription: Subscription): Promise<void> {
    subscription.advancing = true;
    try {
      let fruitless = 0;
      while (subscription.state === 'catching-up' && subscription.sink.isClear) {
        const step = nextStep(subscription.position, this.source.tail);
        if (step.kind === 'wait') return;
        if (step.kind === 'live') this.subscribers.goLive(subscription);
        else if (step.kind === 'window') this.replay(subscription, step.segments, 'window');
        else if (await this.read(subscription, step.after)) fruitless = 0;
        else if (++fruitless >= FRUITLESS_READS_MAX) await this.pause();
      }
    } catch (error) {
      this.context.onError(`A catch-up in ${this.channel} failed; the node retries.`, error);
      this.context.clock.later(retryDelay(), () => this.advance(subscription));
    } finally {
      subscription.advancing = false;
    }
  }

  /** @returns whether the subscription or the tail has changed since the read began */
  private async read(subscription: Subscription, after: number): Promise<boolean> {
    const { source, subscribers } = this;
    const { tail } = source;
    const page = await this.context.pages.after(this.channel, tail.epoch, after);
    // Closed, or moved by a reset during the read.
    if (subscription.state !== 'catching-up' || tail !== source.tail || subscription.position !== after) return true;
    if (page.epoch !== tail.epoch) {
      await source.reload();
      return tail !== source.tail;
    }
    if (page.lost) {
      subscribers.restart(subscription, tail, 'history_expired');
      return true;
    }
    if (!page.segment) return false;
    this.replay(subscription, [page.segment], 'history');
    // The history may be ahead of the tail. If that was never announced, the subscription would wait for the next poll.
    source.notePageEnd(page.segment.last);
    return true;
  }

  /** Writes until the connection takes no more; the rest is found again from the subscription's position. */
  private replay(subscription: Subscription, segments: readonly Segment[], source: 'window' | 'history'): void {
    const begin = subscription.position;
    for (const { bytes, last } of toPieces(segments, this.context.writeBytesMax)) {
      subscription.position = last;
      if (!subscription.sink.write(bytes)) break;
    }
    this.context.metrics.add('holdfast.replayed', subscription.position - begin, { source });
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => void this.context.clock.later(retryDelay(), resolve));
  }
}
