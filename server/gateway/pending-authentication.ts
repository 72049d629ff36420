/**
 * A connection that came without a credential, until its `auth` command has been checked: the time limit, the token, and
 * the commands that arrive during the check. Never executes those commands; the session does, after authentication.
 */
import type { Principal } from '../auth/authenticator.ts';
import { AppError, toAppError } from '../errors.ts';
import type { Command } from '../protocol/commands.ts';
import type { Connection } from './connection.ts';
import { replyError, subjectOf } from './error-reply.ts';
import type { SessionContext } from './session-context.ts';

/** Commands held while the token is being checked; with more the connection is closed. */
const HELD_MAX = 32;
const AUTH_FIRST = 'The first command on this connection must be auth.';

export type OnAuthenticated = (principal: Principal, held: readonly Command[]) => void;

export class PendingAuthentication {
  private readonly connection: Connection;
  private readonly context: SessionContext;
  private readonly onAuthenticated: OnAuthenticated;
  private readonly held: Command[] = [];
  private timer: NodeJS.Timeout | undefined;
  private checking = false;
  private cancelled = false;

  constructor(connection: Connection, context: SessionContext, onAuthenticated: OnAuthenticated) {
    this.connection = connection;
    this.context = context;
    this.onAuthenticated = onAuthenticated;
  }

  /** Closes the connection unless `auth` arrives within AUTH_TIMEOUT_MS. */
  startTimer(): void {
    const { authTimeoutMs, metrics } = this.context;
    this.timer = setTimeout(() => {
      metrics.add('holdfast.authentications', 1, { method: 'message', result: 'late' });
      this.connection.close('auth_failed', `No auth command arrived within ${authTimeoutMs} ms (AUTH_TIMEOUT_MS).`);
    }, authTimeoutMs);
    this.timer.unref();
  }

  /** After this call nothing is authenticated any more. */
  cancel(): void {
    this.cancelled = true;
    clearTimeout(this.timer);
  }

  receive(command: Command): void {
    if (command.type === 'ping') this.connection.pong();
    else if (command.type === 'pong') return;
    else if (this.checking) this.hold(command);
    else if (command.type === 'auth') void this.check(command.token);
    else this.refuse(command);
  }

  private hold(command: Command): void {
    this.held.push(command);
    if (this.held.length > HELD_MAX) {
      const text = `More than ${HELD_MAX} commands arrived before welcome; wait for it.`;
      this.connection.close('protocol_violation', text);
    }
  }

  private refuse(command: Command): void {
    const { id } = subjectOf(command);
    replyError(this.connection, this.context, new AppError('unauthenticated', AUTH_FIRST), { id });
    this.connection.close('auth_failed', AUTH_FIRST);
  }

  private async check(token: string): Promise<void> {
    this.checking = true;
    // The command came in time. Fetching the issuer's keys has its own timeout and is not the client's delay.
    clearTimeout(this.timer);
    try {
      const principal = await this.context.authenticator.authenticate('message', token);
      if (!this.cancelled) this.onAuthenticated(principal, this.held);
    } catch (error) {
      const failure = toAppError(error);
      this.connection.close(failure.temporary ? 'try_again_later' : 'auth_failed', failure.message);
    }
  }
}
