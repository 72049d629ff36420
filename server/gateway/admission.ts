/**
 * Admission: decides which upgrade requests become connections, and answers the others with an HTTP error, which is
 * possible only before the upgrade. Never checks a ticket or token (`gateway.ts` does).
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { AppError, errorBody } from '../errors.ts';
import type { ErrorCode } from '../protocol/codes.ts';
import { SUBPROTOCOL } from '../protocol/messages.ts';
import { AcceptPace } from './accept-pace.ts';

export interface AdmissionOptions {
  /** Origins that may connect besides the host of the service itself; `*` allows all. */
  readonly allowedOrigins: readonly string[];
  readonly maxConnections: number;
  /** New connections per second. */
  readonly acceptRate: number;
}

/** Why an upgrade was refused: the `result` label of `holdfast.handshakes`. */
export type Refusal = 'bad_request' | 'origin_rejected' | 'full' | 'paced' | 'draining';

export interface AdmissionState {
  /** Open connections, with those that are being authenticated. */
  readonly connections: number;
  readonly draining: boolean;
}

export type AdmissionDecision =
  | { readonly allowed: true; readonly credential: Credential }
  | { readonly allowed: false; readonly refusal: Refusal; readonly error: AppError };

/** The ticket or token in the query of the request; with `none` the client must send `auth` after the upgrade. */
export type Credential = { readonly method: 'ticket' | 'query'; readonly value: string } | { readonly method: 'none' };

/** Retry-After of a node that is full or draining, milliseconds: long enough for the load balancer to stop choosing it. */
export const RETRY_FULL_MS = 5_000;

export class Admission {
  private readonly options: AdmissionOptions;
  private readonly pace: AcceptPace;

  constructor(options: AdmissionOptions) {
    this.options = options;
    this.pace = new AcceptPace(options.acceptRate, performance.now());
  }

  decide(request: IncomingMessage, state: AdmissionState): AdmissionDecision {
    const { upgrade } = request.headers;
    if (upgrade?.toLowerCase() !== 'websocket')
      return refuse(
        'bad_request',
        'bad_request',
        'The server upgrades to websocket only; send this request without Upgrade.',
      );
    const url = urlOf(request);
    if (url?.pathname !== '/ws')
      return refuse('bad_request', 'not_found', 'This path has no WebSocket; connect to /ws.');
    if (!offersSubprotocol(request)) {
      const text = `The server does not speak the offered sub-protocols; offer ${SUBPROTOCOL}, or none.`;
      return refuse('bad_request', 'bad_request', text);
    }
    if (!isOriginAllowed(request, this.options.allowedOrigins)) {
      const text = 'This Origin may not connect; the operator can add it to ALLOWED_ORIGINS.';
      return refuse('origin_rejected', 'forbidden', text);
    }
    return this.refuseForLoad(state) ?? { allowed: true, credential: credentialOf(url.searchParams) };
  }

  private refuseForLoad({ connections, draining }: AdmissionState): AdmissionDecision | undefined {
    if (draining)
      return refuse(
        'draining',
        'draining',
        'This node is leaving service; connect again to reach another.',
        RETRY_FULL_MS,
      );
    if (connections >= this.options.maxConnections) {
      const text = 'This node has MAX_CONNECTIONS connections; connect again after the Retry-After time.';
      return refuse('full', 'overloaded', text, RETRY_FULL_MS);
    }
    const waitMs = this.pace.take(performance.now());
    if (waitMs === 0) return undefined;
    const text = 'This node accepts ACCEPT_RATE connections per second; connect again after the Retry-After time.';
    return refuse('paced', 'overloaded', text, Math.ceil(waitMs));
  }
}

function refuse(refusal: Refusal, code: ErrorCode, message: string, retryAfterMs?: number): AdmissionDecision {
  const error = new AppError(code, message, retryAfterMs === undefined ? {} : { retryAfterMs });
  return { allowed: false, refusal, error };
}

/** Undefined when the request target is not a URL, such as `//`. */
function urlOf({ url = '/' }: IncomingMessage): URL | undefined {
  const base = 'ws://holdfast';
  return URL.canParse(url, base) ? new URL(url, base) : undefined;
}

function offersSubprotocol(request: IncomingMessage): boolean {
  const offered = request.headers['sec-websocket-protocol'];
  // Command-line tools often offer none.
  return offered === undefined || offered.split(',').some((name) => name.trim() === SUBPROTOCOL);
}

/** A request without an Origin does not come from a web page, so no page can misuse the credentials of its user. */
export function isOriginAllowed(request: IncomingMessage, allowed: readonly string[]): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || allowed.includes('*') || allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

function credentialOf(query: URLSearchParams): Credential {
  const ticket = query.get('ticket');
  if (ticket !== null) return { method: 'ticket', value: ticket };
  const token = query.get('token');
  return token === null ? { method: 'none' } : { method: 'query', value: token };
}

/** Writes an HTTP error to a socket that is not upgraded, and closes it. */
export function answerRefusal(socket: Duplex, error: AppError): void {
  // The timeouts of HTTP do not apply after an upgrade event: without this, a peer that never closes its side keeps the socket open.
  socket.once('finish', () => socket.destroy());
  const body = JSON.stringify({ ok: false, error: errorBody(error) });
  const retryAfter = error.retryAfterMs === undefined ? '' : `Retry-After: ${Math.ceil(error.retryAfterMs / 1000)}\r\n`;
  socket.end(
    `HTTP/1.1 ${error.httpStatus} ${error.code}\r\n${retryAfter}Content-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
