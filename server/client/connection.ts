/**
 * One WebSocket, from opening to its end: authentication, heartbeat, and exactly one `onEnd`. Never reconnects: that is
 * `reconnector.ts`. Knows `welcome`, `ping` and `pong`; everything else is passed on unread.
 */
import type { Command } from '../protocol/commands.ts';
import { type Push, SUBPROTOCOL, type Welcome } from '../protocol/messages.ts';
import type { Access } from './access.ts';
import type { SocketEvent, WebSocketConstructor, WebSocketLike } from './types.ts';

export interface ClientConnectionHandlers {
  onWelcome(welcome: Welcome): void;
  /** Everything after `welcome` except heartbeats. */
  onFrame(frame: Push): void;
  /** The connection is over. Codes as in RFC 6455; 1006 when there was no close frame, or when it was found dead. */
  onEnd(end: ConnectionEnd): void;
}

export interface ConnectionEnd {
  code: number;
  reason: string;
  /** How long it was of use, in milliseconds, counted from `welcome`; 0 if that never came. */
  upMs: number;
}

/** How long a closing handshake may take before the socket is cut, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1_000;
const LOST = 1006;
/** WebSocket.OPEN; the number, because the constant belongs to the platform's class. */
const OPEN = 1;

export class ClientConnection {
  readonly #socket: WebSocketLike;
  readonly #handlers: ClientConnectionHandlers;
  #welcomeAt: number | null = null;
  #lastSeen = 0;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #over = false;

  /** @param openTimeoutMs longest wait for `welcome` */
  constructor(Socket: WebSocketConstructor, access: Access, openTimeoutMs: number, handlers: ClientConnectionHandlers) {
    this.#handlers = handlers;
    this.#socket = new Socket(access.url, [SUBPROTOCOL]);
    this.#watch = setTimeout(() => this.#dead('No welcome in time.'), openTimeoutMs);
    this.#socket.addEventListener('open', () => {
      if (access.firstFrame) this.send(encode(access.firstFrame));
    });
    this.#socket.addEventListener('message', (event) => this.#received(event));
    this.#socket.addEventListener('close', (event) => this.#ended(event.code ?? LOST, event.reason ?? ''));
    // A `close` event follows every `error` event. `ws` throws when nobody listens.
    this.#socket.addEventListener('error', () => {});
  }

  /** Answers whether the frame left; a closing socket takes none, and its `onEnd` is on the way. */
  send(frame: string): boolean {
    if (this.#over || this.#socket.readyState !== OPEN) return false;
    this.#socket.send(frame);
    return true;
  }

  /** Closes from this side; `onEnd` is not called. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#watch);
    this.#hangUp();
  }

  #received(event: SocketEvent): void {
    if (this.#over) return;
    this.#lastSeen = Date.now();
    const frame = decode(event.data);
    if (frame?.type === 'ping') this.send(encode({ type: 'pong' }));
    else if (frame?.type === 'welcome') this.#welcomed(frame);
    else if (frame && frame.type !== 'pong') this.#handlers.onFrame(frame);
  }

  #welcomed(welcome: Welcome): void {
    clearTimeout(this.#watch);
    this.#welcomeAt = Date.now();
    // The server pings every interval; twice a missed pong's patience is generous even to a busy node.
    this.#watchHeartbeat(welcome.heartbeat_interval_ms + welcome.heartbeat_timeout_ms * 1.5);
    this.#handlers.onWelcome(welcome);
  }

  /** One timer that looks back, instead of one that every frame would have to move. */
  #watchHeartbeat(patienceMs: number): void {
    const restMs = this.#lastSeen + patienceMs - Date.now();
    if (restMs <= 0) this.#dead('Nothing arrived for too long.');
    else this.#watch = setTimeout(() => this.#watchHeartbeat(patienceMs), restMs);
  }

  /** On a dead network the `close` event can be minutes away, so it is not waited for. */
  #dead(reason: string): void {
    this.#ended(LOST, reason);
    this.#hangUp();
  }

  #ended(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#watch);
    this.#handlers.onEnd({ code, reason, upMs: this.#welcomeAt === null ? 0 : Date.now() - this.#welcomeAt });
  }

  #hangUp(): void {
    this.#socket.close(1000);
    if (!this.#socket.terminate) return;
    // An open socket keeps a Node process alive; a peer that does not answer must not.
    setTimeout(() => this.#socket.terminate?.(), CLOSE_TIMEOUT_MS).unref();
  }
}

/** A command as it is sent. */
export function encode(command: Command): string {
  return JSON.stringify(command);
}

/** A frame, or null for what this client cannot read; a newer server may send types that it does not know. */
function decode(data: unknown): Push | null {
  if (typeof data !== 'string') return null;
  try {
    const frame: unknown = JSON.parse(data);
    return typeof frame === 'object' && frame !== null && 'type' in frame ? (frame as Push) : null;
  } catch {
    return null;
  }
}
