/**
 * One subscription of the application: sends the commands that the state machine decides on, retries them, and calls the
 * handlers. Must never read a socket (`reconnector.ts` does) or interpret a frame (`subscription.ts` does).
 */
import type { Command } from '../protocol/commands.ts';
import type { ErrorPush, Message, Position, Presence, Subscribed, Typing, Unsubscribed } from '../protocol/messages.ts';
import type { Backoff } from './backoff.ts';
import { guarded } from './emitter.ts';
import { fromWire, type HoldfastError } from './errors.ts';
import { PresenceState } from './presence-state.ts';
import { type Next, SubscriptionMachine } from './subscription.ts';
import type { Subscription, SubscriptionHandlers, SubscriptionStats } from './types.ts';
import { TypingDebounce } from './typing.ts';

/** The frames that belong to a subscription. */
export type ChannelFrame = Subscribed | Unsubscribed | Message | Typing | Presence;

/** What a subscription needs from its client. */
export interface ChannelHost {
  /** Returns whether the command was sent; false while not connected. */
  send(command: Command): boolean;
  nextId(): string;
  /** Creates a backoff in its initial state. */
  backoff(): Backoff;
  report(error: HoldfastError): void;
  /** Called once, when the subscription has ended. */
  ended(subscription: ChannelSubscription): void;
}

/** The `Subscription` that applications hold. */
export class ChannelSubscription implements Subscription {
  readonly channel: string;
  readonly #host: ChannelHost;
  readonly #handlers: SubscriptionHandlers;
  readonly #machine: SubscriptionMachine;
  readonly #backoff: Backoff;
  readonly #typing: TypingDebounce;
  readonly #presence = new PresenceState();
  readonly #report = (error: HoldfastError): void => this.#host.report(error);
  #wantsPresence = false;
  #presenceId: string | null = null;
  /** Offset before the last gap. A second gap after the same offset is recovered with backoff. */
  #gapAt: number | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #presenceRetry: ReturnType<typeof setTimeout> | undefined;

  constructor(host: ChannelHost, channel: string, handlers: SubscriptionHandlers) {
    this.channel = channel;
    this.#host = host;
    this.#handlers = handlers;
    this.#machine = new SubscriptionMachine(channel, handlers.recover ?? null);
    this.#backoff = host.backoff();
    this.#typing = new TypingDebounce((type) => this.#machine.phase === 'live' && host.send({ type, channel }));
  }

  get position(): Position | null {
    return this.#machine.position;
  }

  get stats(): Readonly<SubscriptionStats> {
    return this.#machine.stats;
  }

  unsubscribe(): void {
    if (this.#machine.phase === 'ended') return;
    const { onServer } = this.#machine;
    this.#typing.stop();
    this.#end();
    if (onServer) this.#host.send({ type: 'unsubscribe', channel: this.channel });
  }

  typing(): void {
    if (this.#machine.phase !== 'ended') this.#typing.typing();
  }

  stopTyping(): void {
    this.#typing.stop();
  }

  presence(): void {
    this.#wantsPresence = true;
    if (this.#machine.phase === 'live') this.#askPresence();
  }

  /** Subscribes. Called after each `welcome` and on each retry. */
  ask(): void {
    clearTimeout(this.#retry);
    this.#presenceId = null;
    const command = this.#machine.ask(this.#host.nextId());
    if (command) this.#host.send(command);
  }

  /** Call when the connection is gone. */
  down(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#presenceRetry);
    this.#machine.down();
    this.#typing.reset();
    this.#presenceId = null;
  }

  onFrame(frame: ChannelFrame): void {
    if (frame.type === 'message') this.#onMessage(frame);
    else if (frame.type === 'subscribed') this.#onSubscribed(frame);
    else if (frame.type === 'unsubscribed') this.#proceed(this.#machine.unsubscribed(frame));
    else if (frame.type === 'typing') this.#onTyping(frame);
    else this.#onPresence(frame);
  }

  #onSubscribed(frame: Subscribed): void {
    const verdict = this.#machine.subscribed(frame);
    if (!verdict) return;
    this.#backoff.reset();
    // onLost comes first, so that the application can clear its state before new messages arrive.
    if (verdict.loss) guarded(this.#handlers.onLost, verdict.loss, this.#report);
    guarded(this.#handlers.onSubscribed, verdict.info, this.#report);
    if (this.#wantsPresence) this.#askPresence();
  }

  #onMessage(frame: Message): void {
    const verdict = this.#machine.message(frame);
    if (verdict === 'deliver') guarded(this.#handlers.onMessage, frame, this.#report);
    else if (verdict === 'gap') this.#recoverGap();
  }

  #onTyping(frame: Typing): void {
    if (this.#machine.phase !== 'live') return;
    guarded(this.#handlers.onTyping, { channel: this.channel, user: frame.user, typing: frame.typing }, this.#report);
  }

  #onPresence(frame: Presence): void {
    if (this.#machine.phase !== 'live') return;
    guarded(this.#handlers.onPresence, this.#presence.apply(frame), this.#report);
  }

  /** Returns whether the error answered a command of this subscription. */
  onError(frame: ErrorPush): boolean {
    const error = fromWire(frame, { channel: this.channel });
    if (frame.id !== undefined && frame.id === this.#presenceId) return this.#presenceRefused(error);
    const next = this.#machine.refused(frame.id, frame.code, error.temporary);
    if (next === 'ignore') return false;
    if (next !== 'ask') this.#report(error);
    this.#proceed(next, error);
    return true;
  }

  #proceed(next: Next, error?: HoldfastError): void {
    if (next === 'ask') this.ask();
    else if (next === 'later') this.#askLater(error?.retryAfterMs);
    else if (next === 'fail' && error) this.#fail(error);
  }

  #recoverGap(): void {
    const offset = this.position?.offset ?? 0;
    // The first recovery is immediate. A second gap after the same offset means that it did not help: back off.
    if (this.#gapAt === offset) {
      this.#machine.pause();
      this.#askLater();
    } else this.ask();
    this.#gapAt = offset;
  }

  #askLater(retryAfterMs = 0): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.ask(), this.#backoff.next(retryAfterMs));
  }

  /** At most once per connection and subscription: the server would refuse a second `presence` command. */
  #askPresence(): void {
    if (this.#presenceId !== null) return;
    this.#presenceId = this.#host.nextId();
    this.#host.send({ type: 'presence', id: this.#presenceId, channel: this.channel });
  }

  #presenceRefused(error: HoldfastError): true {
    this.#report(error);
    if (!error.temporary) this.#wantsPresence = false;
    else {
      clearTimeout(this.#presenceRetry);
      this.#presenceRetry = setTimeout(() => {
        this.#presenceId = null;
        if (this.#machine.phase === 'live') this.#askPresence();
      }, this.#backoff.next(error.retryAfterMs));
    }
    return true;
  }

  #fail(error: HoldfastError): void {
    this.#end();
    guarded(this.#handlers.onError, error, this.#report);
  }

  #end(): void {
    this.down();
    this.#machine.end();
    this.#host.ended(this);
  }
}
