/**
 * Authenticates a credential: a ticket, or a token from the first message, the query or an HTTP header. Counts every
 * attempt. Never decides which method a connection may use (`gateway.ts`).
 */
import { AppError } from '../errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { compilePermissions, type Permissions } from './permissions.ts';
import { ReplayedTicketError, TICKET_TTL_MS, type Tickets } from './tickets.ts';
import type { Identity, VerifyToken } from './tokens.ts';

export type AuthMethod = 'ticket' | 'message' | 'query' | 'http';

/** An authenticated user and the permissions of its token. */
export interface Principal {
  readonly user: string;
  readonly permissions: Permissions;
  /** When the token expires and the session ends, milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface Authenticator {
  /** @throws AppError `unauthenticated` or `unavailable` */
  authenticate(method: AuthMethod, credential: string): Promise<Principal>;
  /** Issues a ticket for the user of a valid token. @throws AppError as `authenticate` */
  issueTicket(token: string): Promise<{ ticket: string; expiresInMs: number }>;
}

export function createAuthenticator(verify: VerifyToken, tickets: Tickets, metrics: Metrics): Authenticator {
  const countFailure = (method: AuthMethod, error: unknown) => {
    metrics.add('holdfast.authentications', 1, {
      method,
      result: resultOf(error),
    });
  };
  const identify = async (method: AuthMethod, credential: string): Promise<Identity> => {
    try {
      const { identity, use } =
        method === 'ticket'
          ? await tickets.redeem(credential)
          : { identity: await verify(credential), use: 'ok' as const };
      metrics.add('holdfast.authentications', 1, { method, result: use });
      return identity;
    } catch (error) {
      countFailure(method, error);
      throw error;
    }
  };
  return {
    async authenticate(method, credential) {
      const { user, channels, expiresAt } = await identify(method, credential);
      return { user, permissions: compilePermissions(channels, user), expiresAt };
    },
    async issueTicket(token) {
      return { ticket: await tickets.issue(await identify('http', token)), expiresInMs: TICKET_TTL_MS };
    },
  };
}

function resultOf(error: unknown): 'replayed' | 'rejected' | 'unavailable' {
  if (error instanceof ReplayedTicketError) return 'replayed';
  return error instanceof AppError && error.code === 'unauthenticated' ? 'rejected' : 'unavailable';
}

/** @throws AppError `forbidden` */
export function requirePublish(principal: Principal, channel: string): void {
  if (!principal.permissions.mayPublish(channel))
    throw new AppError(
      'forbidden',
      `The token does not permit publishing to ${channel}; no pattern of its channels.publish matches.`,
    );
}

/** @throws AppError `forbidden` */
export function requireSubscribe(principal: Principal, channel: string): void {
  if (!principal.permissions.maySubscribe(channel))
    throw new AppError(
      'forbidden',
      `The token does not permit subscribing to ${channel}; no pattern of its channels.subscribe matches.`,
    );
}
