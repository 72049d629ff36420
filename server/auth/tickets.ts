/**
 * Tickets: signed, single-use, ten seconds. They stand in the URL of a WebSocket in place of a token, so that no
 * long-lived credential gets into an access log.
 */
import { createHmac, randomUUID } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import type { OnceStore } from '../backplane/types.ts';
import { AppError } from '../errors.ts';
import { type Identity, toIdentity } from './tokens.ts';

export const TICKET_TTL_MS = 10_000;

/** How a ticket was accepted. `unchecked`: the store was away, so only this node could look for a replay. */
export type TicketUse = 'ok' | 'unchecked';

export interface TicketsOptions {
  /** Signs tickets; the same on all nodes. */
  readonly secret: string;
  /** Undefined: there is no store (no Redis configured). */
  readonly once: OnceStore | undefined;
}

/** A used ticket's error is told apart, because a rate of replays means something else than a rate of expired ones. */
export class ReplayedTicketError extends AppError {
  constructor() {
    super('unauthenticated', 'The ticket was used before; fetch a new one.');
  }
}

/** The ticket key when none is configured: derived, so that a ticket can never pass for a token or the reverse. */
export function deriveTicketSecret(jwtSecret: string): string {
  return createHmac('sha256', jwtSecret).update('holdfast ticket').digest('base64');
}

export class Tickets {
  private readonly key: Uint8Array;
  private readonly once: OnceStore | undefined;
  /** Ids used on this node, with their end: the single-use check that is left when the store is away. Bounded by rate x 10 s. */
  private readonly used = new Map<string, number>();

  constructor(options: TicketsOptions) {
    this.key = new TextEncoder().encode(options.secret);
    this.once = options.once;
  }

  /** A ticket for the identity of a verified token. */
  issue(identity: Identity): Promise<string> {
    return new SignJWT({ channels: { ...identity.channels }, session_exp: identity.expiresAt })
      .setProtectedHeader({ alg: 'HS256', typ: 'ticket' })
      .setSubject(identity.user)
      .setJti(randomUUID())
      .setExpirationTime(new Date(Date.now() + TICKET_TTL_MS))
      .sign(this.key);
  }

  /** Uses a ticket up. @throws AppError `unauthenticated`; ReplayedTicketError when it was used before */
  async redeem(ticket: string): Promise<{ identity: Identity; use: TicketUse }> {
    const { id, identity } = await this.verify(ticket);
    this.forgetEnded();
    if (this.used.has(id)) throw new ReplayedTicketError();
    this.used.set(id, Date.now() + TICKET_TTL_MS);
    if (!this.once) return { identity, use: 'ok' };
    // Kept a little longer than the ticket lives, for the clocks of the nodes.
    const first = await this.once.claim(id, TICKET_TTL_MS * 2).catch(() => undefined);
    if (first === false) throw new ReplayedTicketError();
    return { identity, use: first === undefined ? 'unchecked' : 'ok' };
  }

  private async verify(ticket: string): Promise<{ id: string; identity: Identity }> {
    try {
      const checks = { algorithms: ['HS256'], typ: 'ticket', requiredClaims: ['sub', 'exp', 'jti', 'session_exp'] };
      const { payload } = await jwtVerify(ticket, this.key, checks);
      const identity = toIdentity(payload);
      return { id: String(payload.jti), identity: { ...identity, expiresAt: Number(payload.session_exp) } };
    } catch {
      throw new AppError('unauthenticated', 'The ticket is not valid or older than ten seconds; fetch a new one.');
    }
  }

  private forgetEnded(): void {
    const now = Date.now();
    // In order of insertion, so the ended ones come first.
    for (const [id, end] of this.used) {
      if (end > now) return;
      this.used.delete(id);
    }
  }
}
