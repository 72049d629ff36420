/**
 * The session of one connection: authentication first, then its commands, until the connection ends. Owns which of the
 * two states the connection is in. Never knows what a command does (`handlers.ts`) or how bytes are sent (`connection.ts`).
 */
import type { Principal } from '../auth/authenticator.ts';
import type { Command } from '../protocol/commands.ts';
import { CommandIntake } from './command-intake.ts';
import type { Connection } from './connection.ts';
import { replyError, subjectOf } from './error-reply.ts';
import { createHandlerScope, type HandlerScope, handleCommand } from './handlers.ts';
import { PendingAuthentication } from './pending-authentication.ts';
import type { SessionContext } from './session-context.ts';

/** State of a session after authentication. */
interface Authenticated {
  readonly principal: Principal;
  readonly scope: HandlerScope;
}

export class Session {
  private readonly context: SessionContext;
  private readonly connection: Connection;
  private readonly intake: CommandIntake;
  private readonly pending: PendingAuthentication;
  private authenticated: Authenticated | undefined;
  private ended = false;

  constructor(connection: Connection, context: SessionContext) {
    this.connection = connection;
    this.context = context;
    this.intake = new CommandIntake(connection, context);
    this.pending = new PendingAuthentication(connection, context, (principal, held) => {
      this.begin(principal);
      for (const command of held) this.execute(command);
    });
  }

  /** When the token expires, milliseconds since 1970; 0 while the session is not authenticated. */
  get expiresAt(): number {
    return this.authenticated?.principal.expiresAt ?? 0;
  }

  /** The connection came without a credential: it must send `auth` in time. */
  awaitAuth(): void {
    this.pending.startTimer();
  }

  /** Begins the session of an authenticated user: counts the connection, and sends `welcome`. */
  begin(principal: Principal): void {
    const { connection, context } = this;
    if (!context.userLimits.addConnection(principal.user)) {
      connection.close('too_many_connections');
      return;
    }
    connection.user = principal.user;
    this.authenticated = { principal, scope: createHandlerScope({ connection, context, principal }) };
    this.welcome(principal.user);
  }

  receive(text: string): void {
    const command = this.intake.take(text);
    if (!command) return;
    if (this.authenticated) this.execute(command);
    else this.pending.receive(command);
  }

  /** The connection has sent all unsent bytes. */
  resume(): void {
    this.authenticated?.scope.subscriptions.resume();
  }

  /** The connection is gone. May be called more than once. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.pending.cancel();
    if (!this.authenticated) return;
    this.context.userLimits.removeConnection(this.authenticated.principal.user);
    this.authenticated.scope.subscriptions.closeAll();
  }

  private welcome(user: string): void {
    const { nodeId, heartbeatIntervalMs, heartbeatTimeoutMs, maxPayloadBytes } = this.context;
    this.connection.push({
      type: 'welcome',
      connection_id: this.connection.id,
      node_id: nodeId,
      user,
      heartbeat_interval_ms: heartbeatIntervalMs,
      heartbeat_timeout_ms: heartbeatTimeoutMs,
      max_payload_bytes: maxPayloadBytes,
    });
  }

  private execute(command: Command): void {
    if (!this.authenticated) return;
    handleCommand(this.authenticated.scope, command).catch((error: unknown) =>
      replyError(this.connection, this.context, error, subjectOf(command)),
    );
  }
}
