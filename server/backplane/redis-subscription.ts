/**
 * The subscriber connection to one Redis server. It sends what `ChannelReconciler` decides, reports replies back to it, and
 * replaces the connection when an error leaves the subscriptions unknown. It must never report complete while a desired
 * channel is missing.
 */
import type { Redis } from 'ioredis';
import { type ChannelCommand, ChannelReconciler } from './channel-reconciler.ts';
import { DoublingDelay } from './doubling-delay.ts';
import { droppedChannel, isOutOfStep, UnansweredSubscribes } from './ioredis-workarounds.ts';
import type { PubSub } from './pub-sub.ts';
import { isMoved } from './redirection.ts';

export interface RedisSubscriptionOptions {
  /** Lazily connected; the subscription opens and closes it. */
  readonly subscriber: Redis;
  readonly pubSub: PubSub;
  /** Channels to subscribe to as soon as the connection is open. */
  readonly names: Iterable<string>;
  readonly onMessage: (name: string, payload: Buffer) => void;
  /** `isComplete` may have changed. */
  readonly onChange: () => void;
  /** The slot map may be out of date: the server answered MOVED or dropped a channel. */
  readonly onMoved: () => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Delay before channels that the server may lack are subscribed again; the slot map is refreshed by then. It doubles
 * each time that all channels have to be subscribed again. Milliseconds.
 */
const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 2_000;

export class RedisSubscription {
  private readonly options: RedisSubscriptionOptions;
  private readonly channels: ChannelReconciler;
  private readonly unanswered: UnansweredSubscribes;
  private readonly retryDelay = new DoublingDelay(RETRY_MIN_MS, RETRY_MAX_MS);
  private retryTimer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(options: RedisSubscriptionOptions) {
    this.options = options;
    this.channels = new ChannelReconciler(options.names);
    const { subscriber, pubSub } = options;
    this.unanswered = new UnansweredSubscribes(subscriber);
    subscriber.on(pubSub.event, (name: Buffer, payload: Buffer) => this.receive(name.toString(), payload));
    subscriber.on('ready', () => this.opened());
    subscriber.on('close', () => this.closed());
    subscriber.on('error', (error) => this.failed(error));
  }

  /** Whether the connection is open and every channel is in place whose `subscribe()` has resolved. */
  get isComplete(): boolean {
    return this.channels.isComplete;
  }

  connect(): Promise<void> {
    return this.options.subscriber.connect();
  }

  /** Resolves when the channel is in place or the command failed, at once while not connected. Never rejects. */
  async subscribe(name: string): Promise<void> {
    const command = this.channels.want(name);
    if (command) await this.sendSubscribe(command);
  }

  unsubscribe(name: string): void {
    const command = this.channels.unwant(name);
    if (command) void this.sendUnsubscribe(name, command);
    this.reconcile();
  }

  /** Slots moved: the server now owns the channels `gained`, and no longer those `released`, which it drops by itself. */
  reassign(gained: readonly string[], released: readonly string[]): void {
    this.channels.reassign(gained, released);
    this.reconcile();
  }

  /** To be called when the link is up: the next retry may come after the shortest delay again. */
  resetRetryDelay(): void {
    this.retryDelay.reset();
  }

  /** Replaces the connection. A new one starts without channels, so that none of them can be missing unnoticed. */
  reconnect(error?: unknown): void {
    if (!this.channels.isConnected || this.isClosed) return;
    const { subscriber, onError } = this.options;
    if (error !== undefined && subscriber.status === 'ready') onError(error);
    this.closed();
    subscriber.disconnect(true);
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.retryTimer);
    this.options.subscriber.disconnect();
  }

  private opened(): void {
    this.channels.opened();
    this.reconcile();
  }

  private closed(): void {
    this.channels.closed();
    this.reconcile();
  }

  private failed(error: Error): void {
    const name = droppedChannel(error);
    if (name !== undefined) {
      if (this.channels.dropped(name)) this.moved();
    } else if (isOutOfStep(error)) {
      this.channels.confirmationsLost();
      this.moved();
    } else if (this.options.subscriber.status === 'ready') this.reconnect();
  }

  private moved(): void {
    this.options.onMoved();
    this.reconcile();
  }

  private receive(name: string, payload: Buffer): void {
    if (this.channels.isDesired(name)) this.options.onMessage(name, payload);
  }

  /** Runs after every event: sends what is missing, and reports that the state may have changed. */
  private reconcile(): void {
    if (this.isClosed) return;
    if (this.channels.needsRetry) this.scheduleRetry();
    const batch = this.channels.nextBatch();
    if (batch) void this.sendSubscribe(batch);
    this.options.onChange();
  }

  private scheduleRetry(): void {
    this.retryTimer ??= setTimeout(() => {
      this.retryTimer = undefined;
      if (this.channels.retry()) this.retryDelay.double();
      this.reconcile();
    }, this.retryDelay.ms).unref();
  }

  private async sendSubscribe(command: ChannelCommand): Promise<void> {
    const { pubSub, subscriber } = this.options;
    try {
      await this.unanswered.track(pubSub.subscribe(subscriber, command.names));
    } catch (error) {
      this.subscribeFailed(command, error);
      return;
    }
    this.channels.confirmed(command);
    this.reconcile();
  }

  private subscribeFailed(command: ChannelCommand, error: unknown): void {
    if (!this.channels.isCurrent(command)) return;
    if (isMoved(error)) {
      this.channels.moved(command);
      this.moved();
    } else this.reconnect(error);
  }

  private async sendUnsubscribe(name: string, command: ChannelCommand): Promise<void> {
    const { pubSub, subscriber, onMoved } = this.options;
    try {
      await pubSub.unsubscribe(subscriber, name);
    } catch (error) {
      if (!this.channels.isCurrent(command)) return;
      // After MOVED the channel is not subscribed here any more, which is what the command was for.
      if (isMoved(error)) onMoved();
      else this.reconnect(error);
    }
  }
}
