/**
 * One subscription as a pure state machine: frames and connection changes in, decisions out. Owns the position, and the
 * promise behind it: each offset reaches the application once, in order, or the application hears of the loss.
 * Never sends, waits, or calls the application: `channel.ts` does.
 */
import type { ErrorCode } from '../protocol/codes.ts';
import type { Command } from '../protocol/commands.ts';
import type { Message, Position, Subscribed, Unsubscribed } from '../protocol/messages.ts';
import type { Loss, SubscribedInfo, SubscriptionStats } from './types.ts';

/**
 * `down`: nothing is asked for. `leaving`: the server is to end an earlier subscription of this connection first.
 * `asked`: a `subscribe` is on its way, and messages that arrive meanwhile belong to an earlier one.
 * `live`: messages count. `ended`: for good.
 */
export type SubscriptionPhase = 'down' | 'leaving' | 'asked' | 'live' | 'ended';

/** What to do with a message. `gap`: ask again from the position. `ignore`: it belongs to no present subscription. */
export type MessageVerdict = 'deliver' | 'duplicate' | 'gap' | 'ignore';

/** What to do after an `unsubscribed` or an `error`. `later`: ask after a wait. `fail`: the server refused for good. */
export type Next = 'ignore' | 'ask' | 'later' | 'fail';

/** What a `subscribed` frame means; null when it answers something older. */
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
  /** The position that the `subscribe` in flight asked to go on from; null when it asked for none. */
  #askedFrom: Position | null = null;
  #askedId: string | null = null;
  /** The server answered a `subscribe` on this connection, and may go on sending whatever the phase is here. */
  #held = false;

  constructor(channel: string, recover: Position | null = null) {
    this.channel = channel;
    this.#position = recover === null ? null : { ...recover };
  }

  get phase(): SubscriptionPhase {
    return this.#phase;
  }

  /** Whether the server may believe that this connection is subscribed. */
  get onServer(): boolean {
    return this.#held || this.#phase === 'asked';
  }

  /** A copy: the caller may keep it. */
  get position(): Position | null {
    return this.#position === null ? null : { ...this.#position };
  }

  /**
   * The command that begins, or begins again from the position. Where the server still holds a subscription of this
   * connection, that one is ended first: it refuses a second one. Then its answer leads to `ask` once more.
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

  /** Stops taking messages until the next `ask`. The position stays. */
  pause(): void {
    if (this.#phase !== 'ended') this.#phase = 'down';
    this.#askedId = null;
  }

  /** The connection, or the server's side of the subscription, is gone. The position stays. */
  down(): void {
    this.pause();
    this.#held = false;
  }

  end(): void {
    this.#phase = 'ended';
    this.#askedId = null;
  }

  subscribed(frame: Subscribed): SubscribedVerdict | null {
    if (this.#phase === 'asked' && frame.id === this.#askedId) return this.#answered(frame);
    if (this.#phase !== 'live' || this.#position === null || frame.id !== undefined) return null;
    // Unasked: history was lost under the subscription, or the server repeats itself.
    if (frame.reason === undefined && continues(this.#position, frame)) return null;
    return this.#begin(frame, this.#position);
  }

  unsubscribed(frame: Unsubscribed): Next {
    if (this.#phase === 'leaving' && frame.id === this.#askedId) {
      this.down();
      return 'ask';
    }
    if (this.#phase !== 'live' || frame.id !== undefined) return 'ignore';
    // The server ended it unasked. Asking again makes it say why.
    this.down();
    return 'later';
  }

  /** An `error` with this id: what it means if it answers what is asked for. */
  refused(id: string | undefined, code: ErrorCode, temporary: boolean): Next {
    if (id === undefined || id !== this.#askedId) return 'ignore';
    const leaving = this.#phase === 'leaving';
    this.pause();
    if (temporary) return 'later';
    // Left already, or an earlier subscription is still there: either way the next `ask` knows.
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
      // The position stays even if the server begins earlier: what comes twice is dropped.
      return { info: this.#info(from, frame, true) };
    }
    return this.#begin(frame, from);
  }

  /** Goes on from where the frame says; `from` is what that leaves behind, if anything was owed. */
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

/** Whether a recovery that begins at `frame` leaves no hole after `from`. */
function continues(from: Position, frame: Subscribed): boolean {
  return frame.epoch === from.epoch && frame.offset <= from.offset;
}
