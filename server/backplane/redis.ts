/**
 * The backplane over Redis Pub/Sub: one connection that subscribes, one for everything else.
 * Subscribed are only the channels that this node follows.
 */
import type { Redis } from 'ioredis';
import type { Metrics } from '../telemetry/metrics.ts';
import { recordBackplanePublish } from '../telemetry/tracing.ts';
import { Canary } from './canary.ts';
import { decodePayload, encodeBatch, encodeEvent, encodePresenceHint } from './payload.ts';
import type { Backplane, BackplaneEvents, Batch } from './types.ts';

export interface RedisBackplaneOptions {
  /** Both lazily connected; the backplane opens and closes them. */
  readonly commands: Redis;
  readonly subscriber: Redis;
  readonly prefix: string;
  readonly nodeId: string;
  /** How often the subscription is tested, and the silence after which it counts as deaf. Milliseconds. */
  readonly canaryIntervalMs: number;
  readonly canaryTimeoutMs: number;
  readonly metrics: Metrics;
}

/** Channel names per SUBSCRIBE, so that restoring 100,000 of them does not make one huge command. */
const SUBSCRIBE_CHUNK = 1_000;

export class RedisBackplane implements Backplane {
  private readonly options: RedisBackplaneOptions;
  private readonly prefix: string;
  private readonly channels = new Set<string>();
  private readonly canary: Canary;
  private readonly canaryChannel: string;
  private events: BackplaneEvents | undefined;
  private up = false;
  private wasUp = false;

  constructor(options: RedisBackplaneOptions) {
    this.options = options;
    this.prefix = `${options.prefix}channel:`;
    this.canaryChannel = `${options.prefix}canary:${options.nodeId}`;
    const { metrics } = options;
    this.canary = new Canary({
      intervalMs: options.canaryIntervalMs,
      timeoutMs: options.canaryTimeoutMs,
      sing: (song) => this.sing(song),
      onDeaf: () => this.goDeaf(),
      onHeard: (seconds) => {
        metrics.record('holdfast.backplane.canary.duration.seconds', seconds);
        this.rise();
      },
    });
    metrics.observe('holdfast.backplane.up', () => (this.up ? 1 : 0));
    metrics.observe('holdfast.backplane.canary.age.seconds', () => this.canary.ageSeconds);
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
    this.send(channel, () => encodeBatch(batch), batch.traceparent);
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
    this.canary.stop();
    const { commands, subscriber } = this.options;
    subscriber.disconnect();
    // QUIT lets what was published just now leave first.
    await commands.quit().catch(() => commands.disconnect());
  }

  private send(channel: string, encode: () => Buffer | string, traceparent?: string): void {
    const { commands, metrics } = this.options;
    if (commands.status !== 'ready') {
      metrics.add('holdfast.backplane.publishes', 1, { result: 'skipped' });
      return;
    }
    const begin = performance.now();
    const endSpan = recordBackplanePublish(traceparent);
    commands.publish(this.prefix + channel, encode()).then(
      () => {
        metrics.add('holdfast.backplane.publishes', 1, { result: 'ok' });
        metrics.record('holdfast.publish.stage.seconds', (performance.now() - begin) / 1000, { stage: 'publish' });
        endSpan();
      },
      (error: unknown) => {
        metrics.add('holdfast.backplane.publishes', 1, { result: 'failed' });
        endSpan(error);
      },
    );
  }

  private receive(redisChannel: Buffer, bytes: Buffer): void {
    const name = redisChannel.toString();
    if (name === this.canaryChannel) {
      this.canary.heard(bytes.toString());
      return;
    }
    const channel = name.slice(this.prefix.length);
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

  /** Subscribes everything, then sings: the backplane is up when that is heard. */
  private async restore(): Promise<void> {
    const { subscriber } = this.options;
    if (!this.isConnected || this.up) return;
    try {
      const names = [this.canaryChannel, ...[...this.channels].map((channel) => this.prefix + channel)];
      for (let i = 0; i < names.length; i += SUBSCRIBE_CHUNK)
        await subscriber.subscribe(...names.slice(i, i + SUBSCRIBE_CHUNK));
    } catch {
      subscriber.disconnect(true);
      return;
    }
    if (this.isConnected && !this.up && this.events) this.canary.start();
  }

  private get isConnected(): boolean {
    return this.options.subscriber.status === 'ready' && this.options.commands.status === 'ready';
  }

  /** Also writes: a primary that became a replica takes publishes, and nobody hears them; a write it refuses. */
  private sing(song: string): void {
    const { commands, canaryTimeoutMs } = this.options;
    if (commands.status !== 'ready') return;
    // What fails here is not heard, and that is what counts.
    commands.set(this.canaryChannel, song, 'PX', canaryTimeoutMs).catch(() => {});
    commands.publish(this.canaryChannel, song).catch(() => {});
  }

  /** Connected, all channels subscribed, and what is published arrives. */
  private rise(): void {
    if (this.up || !this.isConnected || !this.events) return;
    this.up = true;
    if (this.wasUp) this.options.metrics.add('holdfast.backplane.reconnects', 1);
    this.wasUp = true;
    this.events.onUp();
  }

  /** Connected, and nothing arrives. Which of the two connections it is cannot be told: both begin anew. */
  private goDeaf(): void {
    this.options.metrics.add('holdfast.backplane.deaf', 1);
    this.lose();
    this.options.subscriber.disconnect(true);
    this.options.commands.disconnect(true);
  }

  private lose(): void {
    this.canary.stop();
    if (!this.up) return;
    this.up = false;
    this.events?.onDown();
  }
}
