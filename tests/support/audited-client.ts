/**
 * A client that reports every message and every subscription to a delivery auditor. It reconnects after every close and
 * recovers from its position. It never removes duplicates or sorts, so that errors of the server are counted, not hidden.
 */
import { WebSocket } from 'ws';
import type { AuditedReceiver, Auditor } from '../../server/audit/auditor.ts';
import type { Push } from '../../server/protocol/messages.ts';

export interface AuditedClientOptions {
  readonly auditor: Auditor;
  /** Unique among the auditor's receivers. */
  readonly name: string;
  readonly token: string;
  readonly channels: readonly string[];
  /** Address of the next connection; called before each attempt. */
  readonly wsUrl: () => string;
  /** Time without a frame after which the client reconnects, milliseconds. Default 60 s: two heartbeats. */
  readonly silenceMs?: number;
  readonly random?: () => number;
}

const SILENCE_MS = 60_000;
const OPEN_TIMEOUT_MS = 5_000;
/** Upper limit of the random delay between attempts. */
const RETRY_MAX_MS = 500;

export class AuditedClient {
  /** Number of reconnects, and of subscriptions that were answered with `recovered: true`. */
  reconnects = 0;
  recoveries = 0;
  /** Close codes seen. */
  readonly closeCodes: number[] = [];
  private readonly options: AuditedClientOptions;
  private readonly receiver: AuditedReceiver;
  private readonly random: () => number;
  private readonly subscribed = new Set<string>();
  private ws: WebSocket | undefined;
  private silence: NodeJS.Timeout | undefined;
  private retry: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(options: AuditedClientOptions) {
    this.options = options;
    this.receiver = options.auditor.receiver(options.name);
    this.random = options.random ?? Math.random;
    this.open();
  }

  /** Whether every subscription of the current connection has been answered. */
  get isReady(): boolean {
    return this.subscribed.size === this.options.channels.length;
  }

  /** Ends the connection without a close frame; the client then reconnects. */
  drop(): void {
    this.ws?.terminate();
  }

  /** Stops reading until `resume`. */
  pause(): void {
    this.ws?.pause();
  }

  resume(): void {
    this.ws?.resume();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.retry);
    clearTimeout(this.silence);
    this.ws?.terminate();
  }

  private open(): void {
    const ws = new WebSocket(this.options.wsUrl(), ['holdfast.v1'], { handshakeTimeout: OPEN_TIMEOUT_MS });
    this.ws = ws;
    ws.on('open', () => ws.send(JSON.stringify({ type: 'auth', token: this.options.token })));
    ws.on('message', (frame) => {
      this.listenForSilence(ws);
      this.receive(ws, JSON.parse(String(frame)) as Push);
    });
    ws.on('error', () => {
      // `close` follows.
    });
    ws.on('close', (code) => this.closed(code));
    this.listenForSilence(ws);
  }

  private listenForSilence(ws: WebSocket): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => ws.terminate(), this.options.silenceMs ?? SILENCE_MS);
  }

  private closed(code: number): void {
    clearTimeout(this.silence);
    this.closeCodes.push(code);
    this.subscribed.clear();
    this.receiver.disconnected();
    if (this.stopped) return;
    this.reconnects++;
    this.retry = setTimeout(() => this.open(), this.random() * RETRY_MAX_MS);
  }

  private receive(ws: WebSocket, push: Push): void {
    switch (push.type) {
      case 'message':
        this.receiver.message(push);
        break;
      case 'ping':
        ws.send('{"type":"pong"}');
        break;
      case 'welcome':
        for (const channel of this.options.channels) this.subscribe(ws, channel);
        break;
      case 'subscribed':
        this.subscribed.add(push.channel);
        if (push.recovered) this.recoveries++;
        this.receiver.subscribed(push);
        break;
      case 'error':
        // The history is unavailable: retry the subscription.
        if (push.channel !== undefined) this.subscribeLater(ws, push.channel);
        break;
      case 'reconnect':
        setTimeout(() => ws.terminate(), this.random() * push.after_ms);
        break;
      default:
    }
  }

  private subscribe(ws: WebSocket, channel: string): void {
    if (ws.readyState !== ws.OPEN) return;
    const recover = this.receiver.position(channel);
    ws.send(JSON.stringify({ type: 'subscribe', id: channel.slice(0, 64), channel, ...(recover && { recover }) }));
  }

  private subscribeLater(ws: WebSocket, channel: string): void {
    setTimeout(() => this.subscribe(ws, channel), 100 + this.random() * RETRY_MAX_MS);
  }
}
