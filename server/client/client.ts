/**
 * The client that applications hold. It connects reconnector, subscriptions and publish queue, and routes each frame to
 * one of them. Owns the registry of subscriptions and the ids of commands. Must never set timers or decide on retries.
 */
import type { Command } from '../protocol/commands.ts';
import type { ErrorPush, Json, Push, Welcome } from '../protocol/messages.ts';
import { Backoff } from './backoff.ts';
import { type ChannelHost, ChannelSubscription } from './channel.ts';
import { encode } from './connection.ts';
import { Emitter } from './emitter.ts';
import { fromWire, HoldfastError } from './errors.ts';
import { PublishQueue } from './publish-queue.ts';
import { Reconnector } from './reconnector.ts';
import { TokenSource } from './tokens.ts';
import type {
  ClientEvents,
  ClientOptions,
  ClientState,
  Fetch,
  HoldfastClient,
  PublishResult,
  Subscription,
  SubscriptionHandlers,
  WebSocketConstructor,
} from './types.ts';

/** Defaults of the platform, used where the options give none. */
export interface Platform {
  /** Called before each connection. @throws HoldfastError `websocket_missing` */
  loadWebSocket(): Promise<WebSocketConstructor>;
  fetch: Fetch;
}

/** Shorter than the backoff of connections, because the node is known to answer. */
const PUBLISH_BACKOFF = { baseMs: 200, maxMs: 5_000 };

export class Client implements HoldfastClient {
  readonly #events: Emitter<ClientEvents>;
  readonly #reconnector: Reconnector;
  readonly #publishQueue: PublishQueue;
  readonly #host: ChannelHost;
  readonly #subscriptions = new Map<string, ChannelSubscription>();
  /** Pending calls of `connect()`, resolved by `welcome`. */
  #waiting: { resolve(welcome: Welcome): void; reject(error: HoldfastError): void }[] = [];
  #lastId = 0;
  #reporting = false;

  constructor(options: ClientOptions, platform: Platform) {
    const { random = Math.random, connectTimeoutMs = 10_000, WebSocket } = options;
    this.#events = new Emitter<ClientEvents>((error) => this.#report(error));
    const nextId = (): string => `c${++this.#lastId}`;
    const send = (frame: string): boolean => this.#reconnector.send(frame);
    this.#reconnector = new Reconnector(
      {
        access: {
          url: options.url,
          auth: options.auth ?? 'ticket',
          affinity: options.affinity,
          fetch: options.fetch ?? platform.fetch,
          timeoutMs: connectTimeoutMs,
        },
        tokens: new TokenSource(options.token),
        loadWebSocket: WebSocket ? async () => WebSocket : platform.loadWebSocket,
        openTimeoutMs: connectTimeoutMs,
        backoff: new Backoff(options.backoff, random),
        random,
      },
      {
        onState: (state) => this.#events.emit('state', state),
        onWelcome: (welcome) => this.#up(welcome),
        onFrame: (frame) => this.#route(frame),
        onDown: () => this.#down(),
        onError: (error) => this.#report(error),
        onGaveUp: (error) => this.#stopped(error),
      },
    );
    this.#publishQueue = new PublishQueue({
      timeoutMs: options.publishTimeoutMs ?? 30_000,
      maxQueued: options.maxQueuedPublishes ?? 10_000,
      maxInFlight: options.maxInFlightPublishes ?? 256,
      send,
      nextId,
      nextKey: keySeries(),
      backoff: new Backoff(PUBLISH_BACKOFF, random),
    });
    this.#host = {
      send: (command: Command) => send(encode(command)),
      nextId,
      backoff: () => new Backoff(options.backoff, random),
      report: (error) => this.#report(error),
      ended: (subscription) => {
        if (this.#subscriptions.get(subscription.channel) === subscription)
          this.#subscriptions.delete(subscription.channel);
      },
    };
  }

  get state(): ClientState {
    return this.#reconnector.state;
  }

  get welcome(): Welcome | null {
    return this.#reconnector.welcome;
  }

  connect(): Promise<Welcome> {
    const { welcome } = this.#reconnector;
    if (welcome) return Promise.resolve(welcome);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#reconnector.start();
    });
  }

  close(): void {
    if (this.state === 'closed') return;
    this.#reconnector.stop();
    this.#stopped();
  }

  on<K extends keyof ClientEvents>(event: K, listener: (value: ClientEvents[K]) => unknown): () => void {
    return this.#events.on(event, listener);
  }

  subscribe(channel: string, handlers: SubscriptionHandlers): Subscription {
    if (this.#subscriptions.has(channel))
      throw new HoldfastError('already_subscribed', `This client is already subscribed to ${channel}.`, { channel });
    const subscription = new ChannelSubscription(this.#host, channel, handlers);
    this.#subscriptions.set(channel, subscription);
    if (this.state === 'connected') subscription.ask();
    return subscription;
  }

  publish(channel: string, data: Json, options: { clientMsgId?: string } = {}): Promise<PublishResult> {
    if (this.state === 'closed') {
      const { clientMsgId } = options;
      return Promise.reject(new HoldfastError('closed', 'The client is closed.', { channel, clientMsgId }));
    }
    return this.#publishQueue.publish(channel, data, options.clientMsgId);
  }

  #up(welcome: Welcome): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve(welcome);
    this.#events.emit('welcome', welcome);
    // A listener of `welcome` may have closed the client.
    if (this.#reconnector.welcome !== welcome) return;
    for (const subscription of this.#subscriptions.values()) subscription.ask();
    this.#publishQueue.connected(welcome.max_payload_bytes);
  }

  #down(): void {
    this.#publishQueue.disconnected();
    for (const subscription of this.#subscriptions.values()) subscription.down();
  }

  #route(frame: Push): void {
    if (frame.type === 'ack') this.#publishQueue.onAck(frame);
    else if (frame.type === 'error') this.#routeError(frame);
    else if ('channel' in frame) this.#subscriptions.get(frame.channel)?.onFrame(frame);
  }

  #routeError(frame: ErrorPush): void {
    if (this.#publishQueue.onError(frame)) return;
    for (const subscription of this.#subscriptions.values()) if (subscription.onError(frame)) return;
    this.#report(fromWire(frame, { channel: frame.channel }));
  }

  /** The client has stopped: because of `error`, or because the application called `close()`. */
  #stopped(error?: HoldfastError): void {
    const reason = error ?? new HoldfastError('closed', 'The client was closed.');
    this.#publishQueue.close(reason);
    for (const { reject } of this.#waiting.splice(0)) reject(reason);
    if (error) this.#report(error);
    this.#events.emit('closed', error ? { error } : {});
  }

  #report(error: HoldfastError): void {
    // A listener of `error` that throws is reported here too. Calling it again would not end.
    if (this.#reporting) {
      console.error(error);
      return;
    }
    this.#reporting = true;
    this.#events.emit('error', error);
    this.#reporting = false;
  }
}

/** Idempotency keys: 128 random bits that identify this client, and a counter. */
function keySeries(): () => string {
  // Browsers offer crypto.randomUUID() in secure contexts only.
  const random = [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
  let count = 0;
  return () => `${random}-${++count}`;
}
