/**
 * The backplane over Redis Pub/Sub: one connection that subscribes, one for everything else.
 * Subscribed are only the channels that this node follows.
 */
import type { Redis } from 'ioredis';
import type { Metrics } from '../telemetry/metrics.ts';
import { decodePayload, encodeBatch, encodeEvent, encodePresenceHint } from './payload.ts';
import type { Backplane, BackplaneEvents, Batch } from './types.ts';

export interface RedisBackplaneOptions {
  /** Both lazily connected; the backplane opens and closes them. */
  readonly commands: Redis;
  readonly subscriber: Redis;
  readonly prefix: string;
  readonly nodeId: string;
  readonly metrics: Metrics;
}

/** Channel names per SUBSCRIBE, so that restoring 100,000 of them does not make one huge command. */
const SUBSCRIBE_CHUNK = 1_000;

export class RedisBackplane implements Backplane {
  private readonly options: RedisBackplaneOptions;
  private readonly prefix: string;
  private readonly channels = new Set<string>();
  private events: BackplaneEvents | undefined;
  private up = false;
  private wasUp = false;

  constructor(options: RedisBackplaneOptions) {
    this.options = options;
    this.prefix = `${options.prefix}channel:`;
    options.metrics.observe('holdfast.backplane.up', () => (this.up ? 1 : 0));
  }

  get isUp(): boolean {
    return this.up;
  }

  async start(events: BackplaneEvents): Promise<void> {
    this.events = events;
    const { commands, subscriber } = this.options;
    subscriber.on('messageBuffer', (channel: Buffer, payload: Buffer) => this.receive(channel, payload));
    for (const redis of [commands, subscriber]) {
      redis.on('ready', () => void this.restore());
      redis.on('close', () => this.lose());
    }
    // A failed first connection is no reason not to start: ioredis goes on trying, and the node works degraded meanwhile.
    await Promise.allSettled([commands.connect(), subscriber.connect()]);
  }

  publish(channel: string, batch: Batch): void {
    this.send(channel, () => encodeBatch(batch));
  }

  publishEvent(channel: string, json: string): void {
    this.send(channel, () => encodeEvent(this.options.nodeId, json));
  }

  publishPresenceHint(channel: string): void {
    this.send(channel, () => encodePresenceHint(this.options.nodeId));
  }

  async subscribe(channel: string): Promise<void> {
    this.channels.add(channel);
    // Not ready: restore() will subscribe it together with the others.
    if (this.options.subscriber.status !== 'ready') return;
    try {
      await this.options.subscriber.subscribe(this.prefix + channel);
    } catch {
      // The connection broke or hangs. Start over, so that "up" again means: every channel is subscribed.
      this.options.subscriber.disconnect(true);
    }
  }

  unsubscribe(channel: string): void {
    this.channels.delete(channel);
    if (this.options.subscriber.status !== 'ready') return;
    this.options.subscriber.unsubscribe(this.prefix + channel).catch(() => this.options.subscriber.disconnect(true));
  }

  async close(): Promise<void> {
    this.up = false;
    this.events = undefined;
    const { commands, subscriber } = this.options;
    subscriber.disconnect();
    // QUIT lets what was published just now leave first.
    await commands.quit().catch(() => commands.disconnect());
  }

  private send(channel: string, encode: () => Buffer | string): void {
    const { commands, metrics } = this.options;
    if (commands.status !== 'ready') {
      metrics.add('holdfast.backplane.publishes', 1, { result: 'skipped' });
      return;
    }
    commands.publish(this.prefix + channel, encode()).then(
      () => metrics.add('holdfast.backplane.publishes', 1, { result: 'ok' }),
      () => metrics.add('holdfast.backplane.publishes', 1, { result: 'failed' }),
    );
  }

  private receive(redisChannel: Buffer, bytes: Buffer): void {
    const channel = redisChannel.toString().slice(this.prefix.length);
    if (!this.events || !this.channels.has(channel)) return;
    const payload = decodePayload(bytes);
    const kind = payload === undefined ? 'malformed' : payload.kind === 'messages' ? 'messages' : 'event';
    this.options.metrics.add('holdfast.backplane.received', 1, { kind });
    if (payload?.kind === 'messages') this.events.onBatch(channel, payload.batch);
    else if (payload && payload.node !== this.options.nodeId) {
      if (payload.kind === 'event') this.events.onEvent(channel, payload.json);
      else this.events.onPresenceHint(channel);
    }
  }

  /** Up means: both connections are ready and every channel that this node follows is subscribed. */
  private async restore(): Promise<void> {
    const { commands, subscriber, metrics } = this.options;
    if (subscriber.status !== 'ready' || commands.status !== 'ready' || this.up) return;
    try {
      const names = [...this.channels].map((channel) => this.prefix + channel);
      for (let i = 0; i < names.length; i += SUBSCRIBE_CHUNK)
        await subscriber.subscribe(...names.slice(i, i + SUBSCRIBE_CHUNK));
    } catch {
      subscriber.disconnect(true);
      return;
    }
    if (this.up || !this.events || subscriber.status !== 'ready' || commands.status !== 'ready') return;
    this.up = true;
    if (this.wasUp) metrics.add('holdfast.backplane.reconnects', 1);
    this.wasUp = true;
    this.events.onUp();
  }

  private lose(): void {
    if (!this.up) return;
    this.up = false;
    this.events?.onDown();
  }
}
