/**
 * One WebSocket, from opening to its end: authentication, heartbeat, and exactly one `onEnd` unless `close()` comes first.
 * It handles `welcome`, `ping` and `pong` and passes all other frames on. Must never reconnect: `reconnector.ts` does.
 */
import type { Command } from '../protocol/commands.ts';
import { type Push, SUBPROTOCOL, type Welcome } from '../protocol/messages.ts';
import type { Access } from './access.ts';
import type { SocketEvent, WebSocketConstructor, WebSocketLike } from './types.ts';

export interface ClientConnectionHandlers {
  onWelcome(welcome: Welcome): void;
  /** Receives every frame except `welcome` and heartbeats. */
  onFrame(frame: Push): void;
  /** The connection has ended. `code` is as in RFC 6455: 1006 when no close frame arrived or a timeout ended it. */
  onEnd(end: ConnectionEnd): void;
}

export interface ConnectionEnd {
  code: number;
  reason: string;
  /** Milliseconds from `welcome` to the end; 0 without a `welcome`. */
  upMs: number;
}

/** Timeout of the closing handshake, in milliseconds. `ws` sockets are then terminated. */
const CLOSE_TIMEOUT_MS = 1_000;
const LOST = 1006;
/** The value of WebSocket.OPEN on every platform. */
const OPEN = 1;

export class ClientConnection {
  readonly #socket: WebSocketLike;
  readonly #handlers: ClientConnectionHandlers;
  #welcomeAt: number | null = null;
  #lastSeen = 0;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #over = false;

  /** @param openTimeoutMs timeout for `welcome`, counted from the start of the handshake */
  constructor(Socket: WebSocketConstructor, access: Access, openTimeoutMs: number, handlers: ClientConnectionHandlers) {
    this.#handlers = handlers;
    this.#socket = new Socket(access.url, [SUBPROTOCOL]);
    this.#watch = setTimeout(() => this.#dead(`No welcome within ${openTimeoutMs} ms.`), openTimeoutMs);
    this.#socket.addEventListener('open', () => {
      if (access.firstFrame) this.send(encode(access.firstFrame));
    });
    this.#socket.addEventListener('message', (event) => this.#received(event));
    this.#socket.addEventListener('close', (event) => this.#ended(event.code ?? LOST, event.reason ?? ''));
    // A `close` event follows every `error` event. Without a listener, `ws` would throw the error.
    this.#socket.addEventListener('error', () => {});
  }

  /** Returns whether the frame was sent. A closing socket accepts none; its `onEnd` follows. */
  send(frame: string): boolean {
    if (this.#over || this.#socket.readyState !== OPEN) return false;
    this.#socket.send(frame);
    return true;
  }

  /** Closes the connection without a call of `onEnd`. */
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
    // The server pings once per interval. One and a half times its own pong timeout tolerates a busy node.
    this.#watchHeartbeat(welcome.heartbeat_interval_ms + welcome.heartbeat_timeout_ms * 1.5);
    this.#handlers.onWelcome(welcome);
  }

  /** A timer that compares with the time of the last frame. Restarting a timer for each frame would cost more. */
  #watchHeartbeat(patienceMs: number): void {
    const restMs = this.#lastSeen + patienceMs - Date.now();
    if (restMs <= 0) this.#dead(`No frame arrived within ${patienceMs} ms.`);
    else this.#watch = setTimeout(() => this.#watchHeartbeat(patienceMs), restMs);
  }

  /** Ends the connection at once: on a dead network the `close` event can take minutes. */
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
    // An open socket keeps a Node process alive. Without a timeout, a silent peer would keep it alive for minutes.
    setTimeout(() => this.#socket.terminate?.(), CLOSE_TIMEOUT_MS).unref();
  }
}

/** The text frame of a command. */
export function encode(command: Command): string {
  return JSON.stringify(command);
}

/** Returns null for a frame that is not a JSON object with a `type`. Unknown types pass; their receivers ignore them. */
function decode(data: unknown): Push | null {
  if (typeof data !== 'string') return null;
  try {
    const frame: unknown = JSON.parse(data);
    return typeof frame === 'object' && frame !== null && 'type' in frame ? (frame as Push) : null;
  } catch {
    return null;
  }
}
