/**
 * Publishes that wait for their ack. Each keeps its frame, with its id and its `client_msg_id`, and is sent again as it
 * is after a reconnect or a temporary error, so that the server stores it once however often it arrives.
 * Never gives up silently: every publish ends in an ack, a permanent error, or its deadline.
 */
import type { Command } from '../protocol/commands.ts';
import type { Ack, ErrorPush, Json } from '../protocol/messages.ts';
import type { Backoff } from './backoff.ts';
import { fromWire, HoldfastError } from './errors.ts';
import { Pace } from './pace.ts';
import type { PublishResult } from './types.ts';

export interface PublishQueueOptions {
  /** Deadline of each publish, in milliseconds, from the call on. */
  timeoutMs: number;
  /** Publishes that may wait at once. */
  maxQueued: number;
  /** Publishes that may be sent and unacknowledged at once. */
  maxInFlight: number;
  /** Sends a frame when connected; answers whether it did. */
  send(frame: string): boolean;
  nextId(): string;
  nextKey(): string;
  /** Waits after temporary errors. */
  backoff: Backoff;
  now?: () => number;
}

interface Pending {
  readonly id: string;
  readonly clientMsgId: string;
  readonly channel: string;
  readonly frame: string;
  readonly deadline: number;
  inFlight: boolean;
  resolve(result: PublishResult): void;
  reject(error: HoldfastError): void;
}

export class PublishQueue {
  readonly #options: PublishQueueOptions;
  readonly #now: () => number;
  readonly #pace = new Pace();
  /** In the order of the calls, which is also the order of sending and of the deadlines. */
  readonly #pending = new Map<string, Pending>();
  #inFlight = 0;
  /** From `welcome`; null while not connected. */
  #maxBytes: number | null = null;
  #deadlineTimer: ReturnType<typeof setTimeout> | undefined;
  #paceTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: PublishQueueOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Publishes that have no answer yet. */
  get size(): number {
    return this.#pending.size;
  }

  /** @throws (rejects) HoldfastError `queue_full`, `timeout`, `closed`, `too_large`, or the server's permanent refusal */
  publish(channel: string, data: Json, clientMsgId = this.#options.nextKey()): Promise<PublishResult> {
    return new Promise((resolve, reject) => {
      if (this.#pending.size >= this.#options.maxQueued) {
        const message = `${this.#options.maxQueued} publishes are waiting for their ack already; wait for some of them.`;
        throw new HoldfastError('queue_full', message, { clientMsgId, channel });
      }
      const id = this.#options.nextId();
      const command: Command = { type: 'publish', id, channel, data, client_msg_id: clientMsgId };
      // Encoded now: the caller may change `data` afterwards, and every try must carry the same bytes.
      const frame = JSON.stringify(command);
      const deadline = this.#now() + this.#options.timeoutMs;
      this.#pending.set(id, { id, clientMsgId, channel, frame, deadline, inFlight: false, resolve, reject });
      if (this.#pending.size === 1) this.#watchDeadline();
      this.#pump();
    });
  }

  /** @param maxBytes largest frame that the server takes */
  connected(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#options.backoff.reset();
    this.#pace.reset();
    this.#pump();
  }

  /** What was in flight has to be sent again: whether it arrived is unknown. */
  disconnected(): void {
    this.#maxBytes = null;
    this.#inFlight = 0;
    clearTimeout(this.#paceTimer);
    for (const pending of this.#pending.values()) pending.inFlight = false;
  }

  onAck(frame: Ack): void {
    const pending = this.#pending.get(frame.id);
    if (!pending) return;
    this.#forget(pending);
    this.#pace.acked();
    this.#options.backoff.reset();
    pending.resolve({ offset: frame.offset, epoch: frame.epoch, duplicate: frame.duplicate === true });
    this.#pump();
  }

  /** Answers whether the error was a publish's. */
  onError(frame: ErrorPush): boolean {
    const pending = frame.id === undefined ? undefined : this.#pending.get(frame.id);
    if (!pending) return false;
    const error = fromWire(frame, { clientMsgId: pending.clientMsgId, channel: pending.channel });
    if (error.temporary) this.#tryLater(pending, error);
    else {
      this.#forget(pending);
      pending.reject(error);
    }
    this.#pump();
    return true;
  }

  /** Rejects everything that waits. */
  close(reason: HoldfastError): void {
    this.disconnected();
    clearTimeout(this.#deadlineTimer);
    for (const pending of [...this.#pending.values()]) {
      this.#forget(pending);
      const { clientMsgId, channel } = pending;
      pending.reject(new HoldfastError(reason.code, reason.message, { clientMsgId, channel, cause: reason }));
    }
  }

  /** A temporary error is about the node, not about this message: everything pauses, which also keeps the order best. */
  #tryLater(pending: Pending, error: HoldfastError): void {
    const now = this.#now();
    this.#land(pending);
    if (!this.#pace.paused(now)) {
      if (error.code === 'rate_limited') {
        this.#pace.limited();
        this.#pace.pause(error.retryAfterMs ?? this.#options.backoff.next(), now);
      } else this.#pace.pause(this.#options.backoff.next(error.retryAfterMs), now);
    } else if (error.retryAfterMs !== undefined) this.#pace.pause(error.retryAfterMs, now);
  }

  /** Sends what may be sent, in order. */
  #pump(): void {
    if (this.#maxBytes === null) return;
    clearTimeout(this.#paceTimer);
    for (const pending of this.#pending.values()) {
      if (this.#inFlight >= this.#options.maxInFlight) return;
      if (pending.inFlight) continue;
      const now = this.#now();
      const waitMs = this.#pace.waitMs(now);
      if (waitMs > 0) {
        this.#paceTimer = setTimeout(() => this.#pump(), waitMs);
        return;
      }
      if (byteLength(pending.frame, this.#maxBytes) > this.#maxBytes) this.#refuseTooLarge(pending, this.#maxBytes);
      else if (this.#options.send(pending.frame)) {
        pending.inFlight = true;
        this.#inFlight += 1;
        this.#pace.sent(now);
      } else return;
    }
  }

  /** The server would close the connection for it, again at each try. */
  #refuseTooLarge(pending: Pending, maxBytes: number): void {
    this.#forget(pending);
    const { clientMsgId, channel } = pending;
    pending.reject(
      new HoldfastError('too_large', `The message is over the limit of ${maxBytes} bytes.`, { clientMsgId, channel }),
    );
  }

  #land(pending: Pending): void {
    if (pending.inFlight) this.#inFlight -= 1;
    pending.inFlight = false;
  }

  #forget(pending: Pending): void {
    this.#land(pending);
    this.#pending.delete(pending.id);
    if (this.#pending.size > 0) return;
    clearTimeout(this.#deadlineTimer);
    clearTimeout(this.#paceTimer);
  }

  /** One timer for the oldest: all have the same time, so the oldest is always the next to expire. */
  #watchDeadline(): void {
    clearTimeout(this.#deadlineTimer);
    const [oldest] = this.#pending.values();
    if (oldest) this.#deadlineTimer = setTimeout(() => this.#expire(), Math.max(0, oldest.deadline - this.#now()));
  }

  #expire(): void {
    const now = this.#now();
    for (const pending of this.#pending.values()) {
      if (pending.deadline > now) break;
      this.#forget(pending);
      const { clientMsgId, channel } = pending;
      const message = `No ack within ${this.#options.timeoutMs} ms. It may be stored: publish again with the same clientMsgId.`;
      pending.reject(new HoldfastError('timeout', message, { clientMsgId, channel }));
    }
    this.#watchDeadline();
    this.#pump();
  }
}

/** Length in UTF-8, measured only when it could matter. */
function byteLength(text: string, limit: number): number {
  return text.length * 3 <= limit ? text.length : new TextEncoder().encode(text).byteLength;
}
