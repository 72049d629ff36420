/** What the commands of one connection do: authentication first, then the table of handlers. Writes through its connection only. */
import {
  type Authenticator,
  type AuthMethod,
  type Principal,
  requirePublish,
  requireSubscribe,
} from '../auth/authenticator.ts';
import { AppError, errorBody, toAppError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import type { SubscribeRequest, SubscriptionHandle } from '../hub/types.ts';
import { TokenBucket } from '../limits/token-bucket.ts';
import type { UserLimits } from '../limits/user-limits.ts';
import { parseCommand } from '../protocol/codec.ts';
import type { Command, CommandOf, CommandType } from '../protocol/commands.ts';
import type { Publisher } from '../publish/publisher.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Connection } from './connection.ts';

/** What all sessions of a node share. */
export interface SessionContext {
  readonly nodeId: string;
  readonly hub: Hub;
  readonly authenticator: Authenticator;
  readonly publisher: Publisher;
  readonly userLimits: UserLimits;
  readonly metrics: Metrics;
  readonly authTimeoutMs: number;
  readonly commandRate: number;
  readonly maxSubscriptions: number;
  readonly maxInFlightPublishes: number;
  readonly maxPayloadBytes: number;
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly onError: (message: string, error: unknown) => void;
}

/** A channel this connection follows. The handle comes when the hub has answered. */
interface Followed {
  handle?: SubscriptionHandle;
  leavePresence?: () => void;
}

/** Frames that are not valid commands before the connection is closed: a broken client, not a typo. */
const STRIKES_MAX = 10;
/** Commands refused for their rate before the connection is closed. */
const RATE_STRIKES_MAX = 1_000;
/** Commands kept while a token is being checked. */
const EARLY_MAX = 32;

type Handlers = { readonly [T in CommandType]: (command: CommandOf<T>) => void | Promise<void> };

export class Session {
  private readonly context: SessionContext;
  private readonly connection: Connection;
  private readonly commands: TokenBucket;
  private readonly followed = new Map<string, Followed>();
  private readonly handlers: Handlers;
  /** The last command of a channel that is still at work. */
  private readonly atWork = new Map<string, Promise<void>>();
  private principal: Principal | undefined;
  private authTimer: NodeJS.Timeout | undefined;
  private authenticating = false;
  private early: Command[] = [];
  private strikes = 0;
  private rateStrikes = 0;
  private inFlight = 0;
  private ended = false;

  constructor(connection: Connection, context: SessionContext) {
    this.connection = connection;
    this.context = context;
    this.commands = new TokenBucket(context.commandRate, context.commandRate * 2, performance.now());
    this.handlers = {
      auth: (command) => this.authenticate('message', command.token),
      subscribe: (command) => this.inOrder(command.channel, () => this.subscribe(command)),
      unsubscribe: (command) => this.inOrder(command.channel, () => this.unsubscribe(command)),
      publish: (command) => this.publish(command),
      typing_start: (command) => this.typing(command.channel, true),
      typing_stop: (command) => this.typing(command.channel, false),
      presence: (command) => this.inOrder(command.channel, () => this.presence(command)),
      ping: () => this.connection.pong(),
      pong: () => {},
    };
  }

  /** When the session ends, milliseconds since 1970; 0 while it is not authenticated. */
  get expiresAt(): number {
    return this.principal?.expiresAt ?? 0;
  }

  /** A connection without a credential has to send one soon. */
  awaitAuth(): void {
    this.authTimer = setTimeout(() => {
      this.context.metrics.add('holdfast.authentications', 1, { method: 'message', result: 'late' });
      this.connection.close('auth_failed', `No auth command came within ${this.context.authTimeoutMs} ms.`);
    }, this.context.authTimeoutMs);
    this.authTimer.unref();
  }

  /** Begins the session of an authenticated user. */
  begin(principal: Principal): void {
    clearTimeout(this.authTimer);
    if (!this.context.userLimits.addConnection(principal.user)) {
      this.connection.close('too_many_connections');
      return;
    }
    this.principal = principal;
    this.connection.user = principal.user;
    this.connection.push({
      type: 'welcome',
      connection_id: this.connection.id,
      node_id: this.context.nodeId,
      user: principal.user,
      heartbeat_interval_ms: this.context.heartbeatIntervalMs,
      heartbeat_timeout_ms: this.context.heartbeatTimeoutMs,
      max_payload_bytes: this.context.maxPayloadBytes,
    });
  }

  /** The connection is gone: leaves every channel. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.authTimer);
    if (this.principal) this.context.userLimits.removeConnection(this.principal.user);
    for (const followed of this.followed.values()) this.stopFollowing(followed);
    this.followed.clear();
  }

  /** The connection has sent everything: its subscriptions may go on. */
  resume(): void {
    for (const { handle } of this.followed.values()) handle?.resume();
  }

  receive(text: string): void {
    const waitMs = this.commands.take(performance.now());
    const parsed = parseCommand(text);
    if (waitMs > 0) {
      const id = parsed.ok ? idOf(parsed.command) : parsed.id;
      this.refuse(new AppError('rate_limited', 'This connection sends too fast.', { retryAfterMs: waitMs }), id);
      if (++this.rateStrikes > RATE_STRIKES_MAX) this.connection.close('rate_limited');
    } else if (!parsed.ok) {
      this.refuse(new AppError('bad_request', parsed.message), parsed.id);
      if (++this.strikes >= STRIKES_MAX) this.connection.close('protocol_violation');
    } else {
      this.context.metrics.add('holdfast.commands', 1, { type: parsed.command.type });
      this.dispatch(parsed.command);
    }
  }

  private dispatch(command: Command): void {
    const isHeartbeat = command.type === 'ping' || command.type === 'pong';
    if (this.authenticating && !isHeartbeat) {
      this.early.push(command);
      if (this.early.length > EARLY_MAX) this.connection.close('protocol_violation', 'Wait for welcome.');
    } else if (!this.principal && command.type !== 'auth' && !isHeartbeat) {
      this.refuse(new AppError('unauthenticated', 'The first command must be auth.'), idOf(command));
      this.connection.close('auth_failed', 'The first command must be auth.');
    } else {
      this.handle(command);
    }
  }

  private handle(command: Command): void {
    // The table's type ties each handler to its command; indexing by a union loses that tie.
    const handler = this.handlers[command.type] as (command: Command) => void | Promise<void>;
    try {
      handler(command)?.catch((error: unknown) => this.refuse(error, idOf(command), channelOf(command)));
    } catch (error) {
      this.refuse(error, idOf(command), channelOf(command));
    }
  }

  private async authenticate(method: AuthMethod, credential: string): Promise<void> {
    if (this.principal) throw new AppError('bad_request', 'This connection is authenticated already.');
    this.authenticating = true;
    // It came in time. How long the issuer's keys may take has its own limit, and is not the client's fault.
    clearTimeout(this.authTimer);
    try {
      const principal = await this.context.authenticator.authenticate(method, credential);
      if (!this.ended) this.begin(principal);
    } catch (error) {
      const failure = toAppError(error);
      this.connection.close(failure.temporary ? 'try_again_later' : 'auth_failed', failure.message);
    }
    this.authenticating = false;
    const early = this.early;
    this.early = [];
    if (this.principal) for (const command of early) this.handle(command);
  }

  private async subscribe({ id, channel, recover }: CommandOf<'subscribe'>): Promise<void> {
    requireSubscribe(this.currentPrincipal, channel);
    if (this.followed.has(channel))
      throw new AppError('already_subscribed', `This connection is subscribed to ${channel} already.`);
    if (this.followed.size >= this.context.maxSubscriptions) {
      throw new AppError(
        'limit_reached',
        `A connection may have ${this.context.maxSubscriptions} subscriptions (MAX_SUBSCRIPTIONS).`,
      );
    }
    const followed: Followed = {};
    this.followed.set(channel, followed);
    try {
      followed.handle = await this.context.hub.subscribe(this.connection, {
        channel,
        recover,
        onPosition: this.positionTeller(id),
      });
      if (this.ended) followed.handle.close();
    } catch (error) {
      this.followed.delete(channel);
      throw error;
    }
  }

  private positionTeller(id: string | undefined): SubscribeRequest['onPosition'] {
    let replyId = id;
    return (position) => {
      this.connection.push({ type: 'subscribed', ...(replyId !== undefined && { id: replyId }), ...position });
      // Only the first is the answer to the command.
      replyId = undefined;
    };
  }

  private async unsubscribe({ id, channel }: CommandOf<'unsubscribe'>): Promise<void> {
    this.stopFollowing(this.requireFollowed(channel));
    this.followed.delete(channel);
    this.connection.push({ type: 'unsubscribed', ...(id !== undefined && { id }), channel });
  }

  /** Commands of one channel are done one after the other, so a client need not wait for the answer to one before the next. */
  private inOrder(channel: string, task: () => Promise<void>): Promise<void> {
    const before = this.atWork.get(channel);
    const work = before ? before.then(task) : task();
    const settled = work
      .catch(() => {})
      .then(() => {
        if (this.atWork.get(channel) === settled) this.atWork.delete(channel);
      });
    this.atWork.set(channel, settled);
    return work;
  }

  private stopFollowing(followed: Followed): void {
    followed.handle?.close();
    followed.leavePresence?.();
  }

  private async publish({ id, channel, data, client_msg_id: clientMsgId }: CommandOf<'publish'>): Promise<void> {
    requirePublish(this.currentPrincipal, channel);
    if (this.inFlight >= this.context.maxInFlightPublishes) {
      throw new AppError('rate_limited', 'Too many publishes wait for their ack on this connection.', {
        retryAfterMs: 100,
      });
    }
    this.inFlight++;
    try {
      // Behind a subscribe of the same channel, or that would begin after this message. Publishes do not wait for each other.
      const before = this.atWork.get(channel);
      if (before) await before;
      const { offset, epoch, duplicate } = await this.context.publisher.publish('ws', this.connection.user, {
        channel,
        data,
        clientMsgId,
      });
      this.connection.push({ type: 'ack', id, channel, offset, epoch, ...(duplicate && { duplicate }) });
    } finally {
      this.inFlight--;
    }
  }

  private typing(channel: string, typing: boolean): void {
    this.requireFollowed(channel);
    this.context.hub.publishTyping({ type: 'typing', channel, user: this.connection.user, typing }, this.connection);
  }

  private async presence({ id, channel }: CommandOf<'presence'>): Promise<void> {
    const followed = this.requireFollowed(channel);
    if (followed.leavePresence)
      throw new AppError('bad_request', `This connection is in the presence of ${channel} already.`);
    followed.leavePresence = () => {};
    let replyId = id;
    const leave = await this.context.hub.joinPresence(channel, this.connection.user, (change) => {
      this.connection.push({ type: 'presence', ...(replyId !== undefined && { id: replyId }), channel, ...change });
      replyId = undefined;
    });
    if (this.ended || this.followed.get(channel) !== followed) leave();
    else followed.leavePresence = leave;
  }

  private requireFollowed(channel: string): Followed {
    const followed = this.followed.get(channel);
    if (!followed) throw new AppError('not_subscribed', `Subscribe to ${channel} first.`);
    return followed;
  }

  private get currentPrincipal(): Principal {
    if (!this.principal) throw new AppError('unauthenticated', 'The first command must be auth.');
    return this.principal;
  }

  private refuse(thrown: unknown, id: string | undefined, channel?: string): void {
    const error = toAppError(thrown);
    if (error.code === 'internal') this.context.onError('A command failed.', error.cause);
    this.context.metrics.add('holdfast.errors', 1, { code: error.code });
    this.connection.push({
      type: 'error',
      ...(id !== undefined && { id }),
      ...(channel !== undefined && { channel }),
      ...errorBody(error),
    });
  }
}

function idOf(command: Command): string | undefined {
  return 'id' in command ? command.id : undefined;
}

function channelOf(command: Command): string | undefined {
  return 'channel' in command ? command.channel : undefined;
}
