/**
 * The publishes that wait for their ack. After a reconnect or a temporary error the same frame is sent again, with the same
 * `client_msg_id`, so the server stores the message once.
 * Must never drop a publish silently: each one ends in an ack, a permanent error, or its deadline.
 */
import type { Command } from '../protocol/commands.ts';
import type { Ack, ErrorPush, Json } from '../protocol/messages.ts';
import type { Backoff } from './backoff.ts';
import { fromWire, HoldfastError } from './errors.ts';
import { Pace } from './pace.ts';
import type { PublishResult } from './types.ts';

export interface PublishQueueOptions {
  /** Time from the call to the deadline of a publish, in milliseconds. */
  timeoutMs: number;
  /** Maximum of publishes without an ack, sent or not. */
  maxQueued: number;
  /** Maximum of publishes that are sent and not acknowledged. */
  maxInFlight: number;
  /** Returns whether the frame was sent; false while not connected. */
  send(frame: string): boolean;
  nextId(): string;
  nextKey(): string;
  /** Delays after temporary errors. */
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
  /** Number of the last attempt, as the pace counts them; 0 before the first. */
  attempt: number;
  resolve(result: PublishResult): void;
  reject(error: HoldfastError): void;
}

export class PublishQueue {
  readonly #options: PublishQueueOptions;
  readonly #now: () => number;
  readonly #pace = new Pace();
  /** In the order of the calls, which is also the order of first sending and of the deadlines. */
  readonly #pending = new Map<string, Pending>();
  #inFlight = 0;
  /** `max_payload_bytes` of `welcome`; null while not connected. */
  #maxBytes: number | null = null;
  #deadlineTimer: ReturnType<typeof setTimeout> | undefined;
  #paceTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: PublishQueueOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Number of publishes without a result. */
  get size(): number {
    return this.#pending.size;
  }

  /** Rejects with a HoldfastError: `queue_full`, `timeout`, `closed`, `too_large`, or a permanent error of the server. */
  publish(channel: string, data: Json, clientMsgId = this.#options.nextKey()): Promise<PublishResult> {
    return new Promise((resolve, reject) => {
      if (this.#pending.size >= this.#options.maxQueued) {
        const message = `${this.#options.maxQueued} publishes wait for their ack, which is the limit (maxQueuedPublishes).`;
        throw new HoldfastError('queue_full', message, { clientMsgId, channel });
      }
      const id = this.#options.nextId();
      const command: Command = { type: 'publish', id, channel, data, client_msg_id: clientMsgId };
      // Encoded now, because the caller may change `data` later and every attempt must send the same bytes.
      const frame = JSON.stringify(command);
      const deadline = this.#now() + this.#options.timeoutMs;
      this.#pending.set(id, {
        id,
        clientMsgId,
        channel,
        frame,
        deadline,
        inFlight: false,
        attempt: 0,
        resolve,
        reject,
      });
      if (this.#pending.size === 1) this.#watchDeadline();
      this.#pump();
    });
  }

  /** @param maxBytes size limit of a frame, in bytes of UTF-8 */
  connected(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#options.backoff.reset();
    this.#pace.reset();
    this.#pump();
  }

  /** Call when the connection is gone. Publishes in flight are sent again, because it is unknown whether they arrived. */
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

  /** Returns whether the error answered a publish. */
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

  /** Rejects all waiting publishes. */
  close(reason: HoldfastError): void {
    this.disconnected();
    clearTimeout(this.#deadlineTimer);
    for (const pending of [...this.#pending.values()]) {
      this.#forget(pending);
      const { clientMsgId, channel } = pending;
      pending.reject(new HoldfastError(reason.code, reason.message, { clientMsgId, channel, cause: reason }));
    }
  }

  /** A temporary error concerns the node and not one message, so all publishes pause. This also keeps them in order. */
  #tryLater(pending: Pending, error: HoldfastError): void {
    const now = this.#now();
    const { code, retryAfterMs } = error;
    this.#land(pending);
    if (code === 'rate_limited') this.#pace.limited(pending.attempt);
    // Errors that arrive during a pause have the same cause as the pause, so the backoff does not grow.
    if (this.#pace.paused(now)) this.#pace.pause(retryAfterMs ?? 0, now);
    else if (code === 'rate_limited') this.#pace.pause(retryAfterMs ?? this.#options.backoff.next(), now);
    else this.#pace.pause(this.#options.backoff.next(retryAfterMs), now);
  }

  /** Sends waiting publishes in order, as far as the connection, the limits and the pace allow. */
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
        pending.attempt = this.#pace.sent(now);
      } else return;
    }
  }

  /** The server would close the connection for this frame, on each attempt. */
  #refuseTooLarge(pending: Pending, maxBytes: number): void {
    this.#forget(pending);
    const { clientMsgId, channel } = pending;
    pending.reject(
      new HoldfastError('too_large', `The frame of this publish is larger than the limit of ${maxBytes} bytes.`, {
        clientMsgId,
        channel,
      }),
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

  /** One timer is enough: all publishes have the same timeout, so the oldest is the next to expire. */
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
      const message = `No ack within ${this.#options.timeoutMs} ms. The message may be stored: publish again with the same clientMsgId.`;
      pending.reject(new HoldfastError('timeout', message, { clientMsgId, channel }));
    }
    this.#watchDeadline();
    this.#pump();
  }
}

/** Length in bytes of UTF-8. It is measured only when three bytes per character could exceed `limit`. */
function byteLength(text: string, limit: number): number {
  return text.length * 3 <= limit ? text.length : new TextEncoder().encode(text).byteLength;
}
