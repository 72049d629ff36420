/**
 * A client that never gives up and reports all it sees to a delivery auditor: it reconnects after every close, recovers
 * with its position, and leaves out nothing, so that what the server does wrong is counted and not repaired.
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
  /** Where to connect this time; asked before each try. */
  readonly wsUrl: () => string;
  /** Without a frame for this long the server counts as gone, milliseconds. Default: twice its heartbeat and more. */
  readonly silenceMs?: number;
  readonly random?: () => number;
}

const SILENCE_MS = 60_000;
const OPEN_TIMEOUT_MS = 5_000;
/** Between tries: at random up to this, so that a test is quick and still no herd. */
const RETRY_MAX_MS = 500;

export class AuditedClient {
  /** Reconnects so far, and those subscriptions that were answered with `recovered`. */
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

  /** Whether every channel has been answered on the present connection. */
  get isReady(): boolean {
    return this.subscribed.size === this.options.channels.length;
  }

  /** Cuts the connection without a word; it comes back by itself. */
  drop(): void {
    this.ws?.terminate();
  }

  /** Stops or goes on reading. */
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
        // The history is away: the subscription has to be asked for again.
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
