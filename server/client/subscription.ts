/**
 * One subscription as a pure state machine: frames and connection changes in, decisions out. Owns the position and its
 * invariant: each offset is delivered once, in order, or a loss is reported.
 * Must never send, set a timer, or call the application: `channel.ts` does.
 */
import type { ErrorCode } from '../protocol/codes.ts';
import type { Command } from '../protocol/commands.ts';
import type { Message, Position, Subscribed, Unsubscribed } from '../protocol/messages.ts';
import type { Loss, SubscribedInfo, SubscriptionStats } from './types.ts';

/**
 * `down`: no command is pending. `leaving`: an `unsubscribe` is pending, which ends an earlier subscription of this
 * connection. `asked`: a `subscribe` is pending; messages that arrive now belong to an earlier subscription and are ignored.
 * `live`: messages are delivered. `ended`: final.
 */
export type SubscriptionPhase = 'down' | 'leaving' | 'asked' | 'live' | 'ended';

/** What to do with a message. `gap`: recover from the position. `ignore`: it belongs to an earlier subscription. */
export type MessageVerdict = 'deliver' | 'duplicate' | 'gap' | 'ignore';

/** What to do after an `unsubscribed` or an `error`. `ask`: at once. `later`: with backoff. `fail`: the refusal is permanent. */
export type Next = 'ignore' | 'ask' | 'later' | 'fail';

/** What a `subscribed` frame means for the application. */
export interface SubscribedVerdict {
  info: SubscribedInfo;
  loss?: Loss;
}

/** The cursor of one channel. */
export class SubscriptionMachine {
  readonly channel: string;
  readonly stats: SubscriptionStats = { delivered: 0, duplicates: 0, gaps: 0, recovered: 0, lost: 0 };
  #phase: SubscriptionPhase = 'down';
  #position: Position | null;
  /** `recover` of the pending `subscribe`; null when it asked for no recovery. */
  #askedFrom: Position | null = null;
  #askedId: string | null = null;
  /** The server confirmed a `subscribe` on this connection and may still send messages, whatever the phase is. */
  #held = false;

  constructor(channel: string, recover: Position | null = null) {
    this.channel = channel;
    this.#position = recover === null ? null : { ...recover };
  }

  get phase(): SubscriptionPhase {
    return this.#phase;
  }

  /** Whether the server may regard this connection as subscribed. */
  get onServer(): boolean {
    return this.#held || this.#phase === 'asked';
  }

  /** Returns a copy, which the caller may keep. */
  get position(): Position | null {
    return this.#position === null ? null : { ...this.#position };
  }

  /**
   * Returns the next command: `subscribe`, with `recover` when there is a position. While the server still holds a
   * subscription of this connection it would refuse a second one, so `unsubscribe` comes first; its reply leads to `ask` again.
   */
  ask(id: string): Command | null {
    if (this.#phase === 'ended') return null;
    this.#askedId = id;
    this.#phase = this.#held ? 'leaving' : 'asked';
    if (this.#held) return { type: 'unsubscribe', id, channel: this.channel };
    this.#askedFrom = this.position;
    const recover = this.#askedFrom === null ? {} : { recover: this.#askedFrom };
    return { type: 'subscribe', id, channel: this.channel, ...recover };
  }

  /** Ignores messages until the next `ask`. The position is kept. */
  pause(): void {
    if (this.#phase !== 'ended') this.#phase = 'down';
    this.#askedId = null;
  }

  /** The connection or the subscription on the server is gone. The position is kept. */
  down(): void {
    this.pause();
    this.#held = false;
  }

  end(): void {
    this.#phase = 'ended';
    this.#askedId = null;
  }

  /** Returns null when the frame answers an older command or changes nothing. */
  subscribed(frame: Subscribed): SubscribedVerdict | null {
    if (this.#phase === 'asked' && frame.id === this.#askedId) return this.#answered(frame);
    if (this.#phase !== 'live' || this.#position === null || frame.id !== undefined) return null;
    // Without an id the frame answers no command: history was lost under a live subscription, or the frame is redundant.
    if (frame.reason === undefined && continues(this.#position, frame)) return null;
    return this.#begin(frame, this.#position);
  }

  unsubscribed(frame: Unsubscribed): Next {
    if (this.#phase === 'leaving' && frame.id === this.#askedId) {
      this.down();
      return 'ask';
    }
    if (this.#phase !== 'live' || frame.id !== undefined) return 'ignore';
    // The server ended the subscription without a command. A new `subscribe` is answered with the reason.
    this.down();
    return 'later';
  }

  /** Decides on an `error` frame with this id. */
  refused(id: string | undefined, code: ErrorCode, temporary: boolean): Next {
    if (id === undefined || id !== this.#askedId) return 'ignore';
    const leaving = this.#phase === 'leaving';
    this.pause();
    if (temporary) return 'later';
    // already_subscribed: the server still holds a subscription, so the next `ask` unsubscribes first.
    this.#held = code === 'already_subscribed';
    return leaving || this.#held ? 'ask' : 'fail';
  }

  message(frame: Message): MessageVerdict {
    if (this.#phase !== 'live' || this.#position === null) return 'ignore';
    if (frame.offset <= this.#position.offset) {
      this.stats.duplicates += 1;
      return 'duplicate';
    }
    if (frame.offset > this.#position.offset + 1) {
      this.stats.gaps += 1;
      return 'gap';
    }
    this.#position.offset = frame.offset;
    this.stats.delivered += 1;
    return 'deliver';
  }

  #answered(frame: Subscribed): SubscribedVerdict {
    const from = this.#askedFrom;
    this.#askedId = null;
    this.#held = true;
    if (from !== null && frame.recovered && continues(from, frame)) {
      this.stats.recovered += 1;
      this.#phase = 'live';
      // If the server begins before the position, the messages up to the position are dropped as duplicates.
      return { info: this.#info(from, frame, true) };
    }
    return this.#begin(frame, from);
  }

  /** Continues at the position of the frame. It is a loss if a recovery was due from `from`. */
  #begin(frame: Subscribed, from: Position | null): SubscribedVerdict {
    const to = { epoch: frame.epoch, offset: frame.offset };
    this.#phase = 'live';
    this.#position = { ...to };
    const info = this.#info(to, frame, false);
    if (from === null) return { info };
    this.stats.lost += 1;
    return { info, loss: { channel: this.channel, reason: frame.reason ?? 'unexplained', from: { ...from }, to } };
  }

  #info(position: Position, frame: Subscribed, recovered: boolean): SubscribedInfo {
    return { channel: this.channel, position: { ...position }, top: frame.top, recovered };
  }
}

/** Whether a subscription that begins at `frame` leaves no hole after `from`. */
function continues(from: Position, frame: Subscribed): boolean {
  return frame.epoch === from.epoch && frame.offset <= from.offset;
}
