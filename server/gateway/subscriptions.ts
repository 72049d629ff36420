/**
 * The subscriptions of one connection, with the presence and typing that need one. Calls of `subscribe`, `unsubscribe` and
 * `joinPresence` for one channel must come one after the other (`channel-order.ts`). Never delivers messages: the hub writes
 * those to the connection itself.
 */
import { requireSubscribe } from '../auth/authenticator.ts';
import { AppError } from '../errors.ts';
import type { PresenceListener, SubscribeRequest, SubscriptionHandle } from '../hub/types.ts';
import type { CommandOf } from '../protocol/commands.ts';
import type { AuthenticatedConnection } from './session-context.ts';

interface SubscriptionEntry {
  /** Undefined until the hub has answered. */
  handle?: SubscriptionHandle;
  /** Set while this connection takes part in the presence of the channel. */
  leavePresence?: () => void;
}

export class Subscriptions {
  private readonly owner: AuthenticatedConnection;
  private readonly entries = new Map<string, SubscriptionEntry>();
  private closed = false;

  constructor(owner: AuthenticatedConnection) {
    this.owner = owner;
  }

  async subscribe({ id, channel, recover }: CommandOf<'subscribe'>): Promise<void> {
    const { connection, context, principal } = this.owner;
    requireSubscribe(principal, channel);
    this.requireRoomFor(channel);
    const entry: SubscriptionEntry = {};
    this.entries.set(channel, entry);
    try {
      entry.handle = await context.hub.subscribe(connection, { channel, recover, onPosition: this.sendPosition(id) });
      // The connection was closed while the hub worked.
      if (this.closed) entry.handle.close();
    } catch (error) {
      this.entries.delete(channel);
      throw error;
    }
  }

  unsubscribe({ id, channel }: CommandOf<'unsubscribe'>): void {
    closeSubscription(this.requireSubscription(channel));
    this.entries.delete(channel);
    this.owner.connection.push({ type: 'unsubscribed', ...(id !== undefined && { id }), channel });
  }

  sendTyping(channel: string, typing: boolean): void {
    this.requireSubscription(channel);
    const { connection, context } = this.owner;
    context.hub.publishTyping({ type: 'typing', channel, user: connection.user, typing }, connection);
  }

  async joinPresence({ id, channel }: CommandOf<'presence'>): Promise<void> {
    const entry = this.requireSubscription(channel);
    if (entry.leavePresence) {
      const text = `This connection takes part in the presence of ${channel} already; its changes arrive as presence pushes.`;
      throw new AppError('bad_request', text);
    }
    // Set before the hub answers, so that a second command is refused meanwhile.
    entry.leavePresence = () => {};
    const { connection, context } = this.owner;
    const leave = await context.hub.joinPresence(channel, connection.user, this.sendPresence(id, channel));
    if (this.entries.get(channel) === entry) entry.leavePresence = leave;
    else leave();
  }

  /** The connection has sent all unsent bytes: slow subscriptions may catch up. */
  resume(): void {
    for (const { handle } of this.entries.values()) handle?.resume();
  }

  /** The connection is gone. */
  closeAll(): void {
    this.closed = true;
    for (const entry of this.entries.values()) closeSubscription(entry);
    this.entries.clear();
  }

  private requireRoomFor(channel: string): void {
    if (this.entries.has(channel)) {
      const text = `This connection is subscribed to ${channel} already; unsubscribe first to recover from another position.`;
      throw new AppError('already_subscribed', text);
    }
    const { maxSubscriptions } = this.owner.context;
    if (this.entries.size < maxSubscriptions) return;
    const text = `This connection has ${maxSubscriptions} subscriptions, the most that are allowed (MAX_SUBSCRIPTIONS); unsubscribe from a channel first.`;
    throw new AppError('limit_reached', text);
  }

  private requireSubscription(channel: string): SubscriptionEntry {
    const entry = this.entries.get(channel);
    if (!entry)
      throw new AppError('not_subscribed', `This connection is not subscribed to ${channel}; subscribe first.`);
    return entry;
  }

  /** Sends each position of the subscription. Only the first answers the command, so only it has the `id`. */
  private sendPosition(id: string | undefined): SubscribeRequest['onPosition'] {
    let replyId = id;
    return (position) => {
      this.owner.connection.push({ type: 'subscribed', ...(replyId !== undefined && { id: replyId }), ...position });
      replyId = undefined;
    };
  }

  /** Sends the users, then each change. Only the first push answers the command, so only it has the `id`. */
  private sendPresence(id: string | undefined, channel: string): PresenceListener {
    let replyId = id;
    return (change) => {
      const answer = replyId === undefined ? {} : { id: replyId };
      this.owner.connection.push({ type: 'presence', ...answer, channel, ...change });
      replyId = undefined;
    };
  }
}

function closeSubscription({ handle, leavePresence }: SubscriptionEntry): void {
  handle?.close();
  leavePresence?.();
}
