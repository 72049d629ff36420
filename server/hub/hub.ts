/**
 * A node's registry of channels, and what all of them share: the flusher, the pages and the history poll. What happens inside a
 * channel is in `channel.ts`.
 */
import type { Backplane, PresenceStore } from '../backplane/types.ts';
import type { Committed, EpochKeeper, HistoryReader } from '../history/types.ts';
import { encodePush } from '../protocol/codec.ts';
import { textFrame } from '../protocol/frame.ts';
import type { Typing } from '../protocol/messages.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { Channel, type ChannelContext } from './channel.ts';
import { type Clock, SYSTEM_CLOCK } from './clock.ts';
import { CommittedBatch } from './committed-batch.ts';
import { Flusher } from './flusher.ts';
import { HistoryPoll } from './history-poll.ts';
import { Pages } from './pages.ts';
import { PresenceHub } from './presence.ts';
import { TopsLoader } from './tops-loader.ts';
import type { PresenceListener, Sink, SubscribeRequest, SubscriptionHandle } from './types.ts';

export interface HubOptions {
  readonly history: HistoryReader & EpochKeeper;
  readonly backplane: Backplane;
  readonly presenceStore: PresenceStore;
  readonly metrics: Metrics;
  readonly clock?: Clock;
  readonly windowMessages: number;
  readonly windowBytes: number;
  readonly pageSize: number;
  readonly readConcurrency: number;
  readonly cacheBytes: number;
  readonly gapHoldMs: number;
  readonly pollIntervalMs: number;
  readonly pollIntervalDegradedMs: number;
  readonly flushIntervalMaxMs: number;
  /** Most bytes per write to a connection. */
  readonly writeBytesMax: number;
  readonly presenceTtlMs: number;
  readonly onError: (message: string, error: unknown) => void;
}

/** Segments that a tail holds beyond a gap. */
const AHEAD_MAX = 256;

export class Hub {
  private readonly options: HubOptions;
  private readonly clock: Clock;
  private readonly channels = new Map<string, Channel>();
  private readonly context: ChannelContext;
  private readonly historyPoll: HistoryPoll;
  private readonly presence: PresenceHub;

  constructor(options: HubOptions) {
    this.options = options;
    this.clock = options.clock ?? SYSTEM_CLOCK;
    this.context = this.createContext();
    this.historyPoll = this.createHistoryPoll();
    const { backplane, presenceStore: store, presenceTtlMs: ttlMs } = options;
    const announce = (channel: string) => backplane.publishPresenceHint(channel);
    this.presence = new PresenceHub({ store, clock: this.clock, ttlMs, announce });
    this.observe();
  }

  get subscriptionCount(): number {
    return this.count((channel) => channel.subscribers.size);
  }

  /** Starts the backplane and the history poll. */
  async start(): Promise<void> {
    await this.options.backplane.start({
      onBatch: (channel, batch) => this.channels.get(channel)?.follower.receive(batch),
      onEvent: (channel, json) => this.channels.get(channel)?.deliverEvent(textFrame(json)),
      onPresenceHint: (channel) => this.presence.changed(channel),
      onUp: () => this.historyPoll.checkNow(),
      onDown: () => this.historyPoll.checkNow(),
    });
    await this.historyPoll.start();
  }

  stop(): void {
    this.historyPoll.stop();
  }

  /**
   * Begins a subscription; `request.onPosition` is called before this resolves and before the first message.
   * @throws AppError `unavailable` when the channel's position cannot be read
   */
  subscribe(sink: Sink, request: SubscribeRequest): Promise<SubscriptionHandle> {
    return this.channelOf(request.channel).subscribe(sink, request);
  }

  /** Postgres answers again after an outage: polls at once for commits of other nodes, and for a restore. */
  historyRestored(): void {
    this.historyPoll.checkExactlyNow();
  }

  /** Messages that this node has committed: to the other nodes, and to its own tails. */
  committed(commits: readonly Committed[]): void {
    for (const commit of commits) {
      const batch = new CommittedBatch(commit);
      this.options.backplane.publish(commit.channel, batch);
      this.channels.get(commit.channel)?.follower.offer(commit.epoch, batch.toSegment());
    }
  }

  /** Sends a typing event to the other subscribers, on this node and on others. It may be dropped. */
  publishTyping(typing: Typing, from: Sink): void {
    const json = encodePush(typing);
    this.options.backplane.publishEvent(typing.channel, json);
    this.channels.get(typing.channel)?.deliverEvent(textFrame(json), from);
  }

  /** Makes `user` present until the result is called. `listener` first gets the list of users, then changes. */
  joinPresence(channel: string, user: string, listener: PresenceListener): Promise<() => void> {
    return this.presence.join(channel, user, listener);
  }

  private createContext(): ChannelContext {
    const { options, clock } = this;
    const { history, backplane, metrics, onError, writeBytesMax, gapHoldMs, windowMessages, windowBytes } = options;
    const { pageSize, readConcurrency: concurrency, cacheBytes } = options;
    return {
      backplane,
      pages: new Pages({ history, pageSize, concurrency, cacheBytes }),
      tops: new TopsLoader(history, clock),
      clock,
      limits: { windowMessages, windowBytes, aheadMax: AHEAD_MAX },
      gapHoldMs,
      metrics,
      writeBytesMax,
      flusher: new Flusher({
        clock,
        intervalMaxMs: options.flushIntervalMaxMs,
        onFlushed: (seconds) => metrics.record('holdfast.fanout.duration.seconds', seconds),
      }),
      onEmpty: (channel) => this.drop(channel),
      onRegression: (epoch) => this.historyRegressed(epoch),
      onError,
    };
  }

  private createHistoryPoll(): HistoryPoll {
    const { history, backplane, pollIntervalMs, pollIntervalDegradedMs, onError } = this.options;
    return new HistoryPoll({
      history,
      clock: this.clock,
      intervalMs: () => (backplane.isUp ? pollIntervalMs : pollIntervalDegradedMs),
      channels: () => new Map([...this.channels].map(([name, channel]) => [name, channel.follower.held])),
      onTops: ({ epoch, tops }) => this.noteTops(epoch, tops),
      onRegression: (epoch) => this.historyRegressed(epoch),
      onError,
    });
  }

  private observe(): void {
    const { metrics } = this.options;
    metrics.observe('holdfast.tails', () => this.channels.size);
    metrics.observe('holdfast.tails.behind', () => this.count((channel) => (channel.follower.isBehind ? 1 : 0)));
    metrics.observe('holdfast.subscriptions', () => this.subscriptionCount);
    metrics.observe('holdfast.subscriptions.behind', () => this.count((channel) => channel.subscribers.behind.size));
  }

  private count(of: (channel: Channel) => number): number {
    let count = 0;
    for (const channel of this.channels.values()) count += of(channel);
    return count;
  }

  private historyRegressed(epoch: string): void {
    const { history, onError } = this.options;
    history
      .regressed(epoch)
      .then(() => this.historyPoll.checkNow())
      .catch((error: unknown) =>
        onError('The history lacks messages that were committed, and its epoch could not be changed yet.', error),
      );
  }

  private channelOf(name: string): Channel {
    const existing = this.channels.get(name);
    if (existing) return existing;
    const channel = new Channel(name, this.context);
    this.channels.set(name, channel);
    return channel;
  }

  private drop(channel: Channel): void {
    this.channels.delete(channel.name);
    this.options.backplane.unsubscribe(channel.name);
  }

  private noteTops(epoch: string, tops: ReadonlyMap<string, number>): void {
    // A new epoch concerns every channel, also those that have not grown. Repeated at each poll, because a channel whose read
    // failed waits for the next one.
    for (const channel of this.channels.values()) channel.follower.noteEpoch(epoch);
    for (const [name, top] of tops) this.channels.get(name)?.follower.noteTop({ epoch, top });
  }
}
