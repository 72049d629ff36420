/**
 * The backplane over Redis Pub/Sub: turns batches and events into payloads and back, and counts them. It must never fail a
 * publish: messages are committed before they get here.
 */
import type { Metrics } from '../telemetry/metrics.ts';
import { recordBackplanePublish } from '../telemetry/tracing.ts';
import { decodePayload, encodeBatch, encodeEvent, encodePresenceHint } from './payload.ts';
import type { RedisTransport } from './redis-transport.ts';
import type { Backplane, BackplaneEvents, Batch } from './types.ts';

export interface RedisBackplaneOptions {
  /** The backplane opens and closes it. */
  readonly transport: RedisTransport;
  readonly prefix: string;
  readonly nodeId: string;
  readonly metrics: Metrics;
}

export class RedisBackplane implements Backplane {
  private readonly options: RedisBackplaneOptions;
  private readonly prefix: string;
  private events: BackplaneEvents | undefined;
  private wasUp = false;

  constructor(options: RedisBackplaneOptions) {
    this.options = options;
    this.prefix = `${options.prefix}channel:`;
    const { metrics, transport } = options;
    metrics.observe('holdfast.backplane.up', () => (transport.isUp ? 1 : 0));
    metrics.observe('holdfast.backplane.canary.age.seconds', () => transport.canaryAgeSeconds);
  }

  get isUp(): boolean {
    return this.options.transport.isUp;
  }

  start(events: BackplaneEvents): Promise<void> {
    this.events = events;
    return this.options.transport.start({
      onMessage: (name, payload) => this.receive(name, payload),
      onUp: () => this.wentUp(),
      onDown: () => this.events?.onDown(),
    });
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

  subscribe(channel: string): Promise<void> {
    return this.options.transport.subscribe(this.prefix + channel);
  }

  unsubscribe(channel: string): void {
    this.options.transport.unsubscribe(this.prefix + channel);
  }

  close(): Promise<void> {
    this.events = undefined;
    return this.options.transport.close();
  }

  private send(channel: string, encode: () => Buffer | string, traceparent?: string): void {
    const { transport, metrics } = this.options;
    const begin = performance.now();
    const sent = transport.publish(this.prefix + channel, encode);
    if (sent === undefined) {
      metrics.add('holdfast.backplane.publishes', 1, { result: 'skipped' });
      return;
    }
    const endSpan = recordBackplanePublish(traceparent);
    sent.then(
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

  private receive(name: string, bytes: Buffer): void {
    if (!this.events) return;
    const channel = name.slice(this.prefix.length);
    const payload = decodePayload(bytes);
    const kind = payload === undefined ? 'malformed' : payload.kind === 'messages' ? 'messages' : 'event';
    this.options.metrics.add('holdfast.backplane.received', 1, { kind });
    if (payload?.kind === 'messages') this.events.onBatch(channel, payload.batch);
    else if (payload && payload.node !== this.options.nodeId) {
      if (payload.kind === 'event') this.events.onEvent(channel, payload.json);
      else this.events.onPresenceHint(channel);
    }
  }

  private wentUp(): void {
    if (this.wasUp) this.options.metrics.add('holdfast.backplane.reconnects', 1);
    this.wasUp = true;
    this.events?.onUp();
  }
}
