/**
 * One WebSocket: reads frames, writes frames, measures unsent bytes, closes. Reads and closes through `ws`. Writes text frames
 * directly to the TCP socket, because fan-out writes the same bytes to thousands of connections. Never interprets a command
 * (`session.ts`).
 */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Sink } from '../hub/types.ts';
import { encodePush } from '../protocol/codec.ts';
import { CLOSE_CODES, type CloseReason } from '../protocol/codes.ts';
import { textFrame } from '../protocol/frame.ts';
import type { Push } from '../protocol/messages.ts';
import type { HeartbeatTarget } from './heartbeat.ts';

export interface ConnectionOptions {
  readonly id: string;
  readonly socket: Duplex;
  readonly ws: WebSocket;
  readonly highWaterBytes: number;
}

/** Events of a connection, for the gateway and the session. */
export interface ConnectionEvents {
  onText(text: string): void;
  /** Unsent bytes have reached the high-water mark. */
  onBehind(): void;
  /** After `onBehind`: no bytes are unsent any more. */
  onClear(): void;
  /** Called once. The code is that of the server if it closed first, else that of the client; 1006 without a close frame. */
  onClosed(code: number): void;
}

/** How long the client may take to answer a close frame before its socket is destroyed. */
const CLOSE_TIMEOUT_MS = 3_000;
const PING = textFrame(encodePush({ type: 'ping' }));
const PONG = textFrame(encodePush({ type: 'pong' }));

export class Connection implements Sink, HeartbeatTarget {
  readonly id: string;
  alive = true;
  /** The user of the token; empty before authentication. */
  user = '';
  /** When unsent bytes reached the high-water mark, `performance.now()` milliseconds; 0 while the connection is not behind. */
  behindSince = 0;
  private readonly ws: WebSocket;
  private readonly socket: Duplex;
  private readonly highWaterBytes: number;
  private events: ConnectionEvents | undefined;
  private corked = false;
  private closeCode = 0;

  constructor({ id, socket, ws, highWaterBytes }: ConnectionOptions) {
    this.id = id;
    this.socket = socket;
    this.ws = ws;
    this.highWaterBytes = highWaterBytes;
  }

  /** Starts to report events. Called once. */
  listen(events: ConnectionEvents): void {
    this.events = events;
    this.ws.on('message', (data: Buffer, isBinary: boolean) => this.receive(data, isBinary));
    this.ws.on('close', (code: number) => events.onClosed(this.closeCode || code));
    // ws itself closes with the right code when a frame is broken; the code is kept here for the metrics.
    this.ws.on('error', (error: Error & { code?: string }) => {
      this.closeCode ||= closeCodeOf(error.code);
    });
    this.socket.on('drain', () => this.drained());
  }

  get isOpen(): boolean {
    return this.ws.readyState === this.ws.OPEN;
  }

  get isClear(): boolean {
    return this.behindSince === 0 && this.isOpen;
  }

  get isIdle(): boolean {
    return this.isClear && this.socket.writableLength === 0;
  }

  get unsentBytes(): number {
    return this.socket.writableLength;
  }

  write(frames: Buffer): boolean {
    if (!this.isOpen) return false;
    this.socket.write(frames);
    if (this.socket.writableLength < this.highWaterBytes) return true;
    if (this.behindSince === 0) {
      this.behindSince = performance.now();
      this.events?.onBehind();
    }
    return false;
  }

  /** Sends one push. Pushes of the same turn of the event loop leave in one system call. */
  push(push: Push): void {
    this.pushText(encodePush(push));
  }

  /** The same for a push that is JSON text already. */
  pushText(json: string): void {
    if (!this.isOpen) return;
    this.cork();
    this.write(textFrame(json));
  }

  ping(): void {
    // The ping would wait behind the unsent bytes and arrive late. Without a ping no pong is due.
    if (this.behindSince > 0) this.alive = true;
    else this.write(PING);
  }

  pong(): void {
    this.write(PONG);
  }

  /**
   * Ends a connection that has not answered the heartbeat. Does not wait for the answer to the close frame, because the
   * peer is gone. A connection that is behind may not have read the ping yet; SLOW_CONSUMER_MAX_MS limits it instead.
   */
  expire(): void {
    if (this.behindSince > 0) return;
    this.close('heartbeat_timeout');
    this.ws.terminate();
  }

  /** Closes with a code of the list. Destroys the socket if the client does not answer the close frame in time. */
  close(reason: CloseReason, text: string = reason): void {
    if (!this.isOpen) return;
    this.closeCode = CLOSE_CODES[reason].code;
    // A close frame has room for 123 bytes. A character that is cut in two becomes U+FFFD and is removed.
    this.ws.close(
      this.closeCode,
      Buffer.from(text)
        .subarray(0, 123)
        .toString()
        .replace(/\uFFFD+$/, ''),
    );
    setTimeout(() => this.ws.terminate(), CLOSE_TIMEOUT_MS).unref();
  }

  private receive(data: Buffer, isBinary: boolean): void {
    this.alive = true;
    if (isBinary) this.close('unsupported_data', 'Binary frames are not supported; send text frames.');
    else if (this.isOpen) this.events?.onText(data.toString('utf8'));
  }

  private cork(): void {
    if (this.corked) return;
    this.corked = true;
    this.socket.cork();
    process.nextTick(() => {
      this.corked = false;
      this.socket.uncork();
    });
  }

  private drained(): void {
    if (this.behindSince === 0) return;
    this.behindSince = 0;
    // The peer has acknowledged what was sent, so it is alive.
    this.alive = true;
    this.events?.onClear();
  }
}

function closeCodeOf(wsErrorCode: string | undefined): number {
  if (wsErrorCode === 'WS_ERR_INVALID_UTF8') return CLOSE_CODES.invalid_payload.code;
  // The second code: the frame header announces more bytes than a JavaScript number can hold.
  if (wsErrorCode === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' || wsErrorCode === 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH')
    return CLOSE_CODES.message_too_big.code;
  // ws closes with 1008 then, which the list of close codes documents.
  if (wsErrorCode === 'WS_ERR_TOO_MANY_BUFFERED_PARTS') return CLOSE_CODES.auth_failed.code;
  return wsErrorCode?.startsWith('WS_ERR_') ? CLOSE_CODES.protocol_error.code : 1006;
}
