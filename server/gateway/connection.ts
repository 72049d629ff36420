/**
 * One WebSocket: what is written to it, how far it is behind, how it ends. Receives through `ws`; writes frames to the
 * socket itself, because fan-out hands the same bytes to thousands. Knows no commands (`session.ts`).
 */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Sink } from '../hub/types.ts';
import { encodePush } from '../protocol/codec.ts';
import { CLOSE_CODES, type CloseReason } from '../protocol/codes.ts';
import { textFrame } from '../protocol/frame.ts';
import type { Push } from '../protocol/messages.ts';
import type { Beating } from './heartbeat.ts';

export interface ConnectionOptions {
  readonly id: string;
  readonly socket: Duplex;
  readonly ws: WebSocket;
  readonly highWaterBytes: number;
}

/** What happens to a connection, for its session. */
export interface ConnectionEvents {
  onText(text: string): void;
  /** Unsent bytes have passed the high-water mark. */
  onBehind(): void;
  /** Everything is sent again. */
  onClear(): void;
  /** Once, with the code that counts: ours when we closed, else the peer's; 1006 without a close frame. */
  onClosed(code: number): void;
}

/** How long a peer may take to answer a close frame before its socket is destroyed. */
const CLOSE_TIMEOUT_MS = 3_000;
const PING = textFrame(encodePush({ type: 'ping' }));
const PONG = textFrame(encodePush({ type: 'pong' }));

export class Connection implements Sink, Beating {
  readonly id: string;
  alive = true;
  /** Set by authentication. */
  user = '';
  /** Since when unsent bytes are above the high-water mark, `performance.now()` milliseconds; 0: they are not. */
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

  /** Begins to receive. */
  listen(events: ConnectionEvents): void {
    this.events = events;
    this.ws.on('message', (data: Buffer, isBinary: boolean) => this.receive(data, isBinary));
    this.ws.on('close', (code: number) => events.onClosed(this.closeCode || code));
    // ws answers a broken frame with the right close code itself; here it only has to be counted.
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

  /** Sends one push. Those of the same turn leave in one system call. */
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
    // Behind all that is unsent a ping would come late, and its pong later. None is sent, so none is owed.
    if (this.behindSince > 0) this.alive = true;
    else this.write(PING);
  }

  pong(): void {
    this.write(PONG);
  }

  /**
   * The heartbeat was not answered: the peer is gone, so nothing would read a close frame's answer. A connection that is
   * behind may just not have read the ping yet; how long it may stay so is the slow consumers' limit.
   */
  expire(): void {
    if (this.behindSince > 0) return;
    this.close('heartbeat_timeout');
    this.ws.terminate();
  }

  /** Closes with a code of the list; destroys the socket if the peer does not answer. */
  close(reason: CloseReason, text: string = reason): void {
    if (!this.isOpen) return;
    this.closeCode = CLOSE_CODES[reason].code;
    // 123 bytes is what a close frame can carry.
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
    if (isBinary) this.close('unsupported_data', 'This protocol is text only.');
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
    // What was sent has been taken: a sign of life.
    this.alive = true;
    this.events?.onClear();
  }
}

function closeCodeOf(wsErrorCode: string | undefined): number {
  if (wsErrorCode === 'WS_ERR_INVALID_UTF8') return CLOSE_CODES.invalid_payload.code;
  // The second: its length is beyond what any number here can say.
  if (wsErrorCode === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' || wsErrorCode === 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH')
    return CLOSE_CODES.message_too_big.code;
  // What ws sends then; the list of close codes says so.
  if (wsErrorCode === 'WS_ERR_TOO_MANY_BUFFERED_PARTS') return CLOSE_CODES.auth_failed.code;
  return wsErrorCode?.startsWith('WS_ERR_') ? CLOSE_CODES.protocol_error.code : 1006;
}
