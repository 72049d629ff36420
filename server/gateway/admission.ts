/** The door: which upgrade requests become connections. Answers the others in HTTP, where they can still be read. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { AppError, errorBody } from '../errors.ts';
import { SUBPROTOCOL } from '../protocol/messages.ts';
import { AcceptPace } from './accept-pace.ts';

export interface AdmissionOptions {
  /** Origins allowed besides the service's own host; `*` allows all. */
  readonly allowedOrigins: readonly string[];
  readonly maxConnections: number;
  /** New connections per second. */
  readonly acceptRate: number;
}

/** Why an upgrade was refused, as the metric names it. */
export type Refusal = 'bad_request' | 'origin_rejected' | 'full' | 'paced' | 'draining';

export interface AdmissionState {
  readonly connections: number;
  readonly draining: boolean;
}

export type AdmissionDecision =
  | { readonly allowed: true; readonly credential: Credential }
  | { readonly allowed: false; readonly refusal: Refusal; readonly error: AppError };

/** What the request brought: a ticket or token in the query, or nothing yet. */
export type Credential = { readonly method: 'ticket' | 'query'; readonly value: string } | { readonly method: 'none' };

/** Retry-After while full or draining: long enough for a scale-out or a deregistration to show. */
export const RETRY_FULL_MS = 5_000;

export class Admission {
  private readonly options: AdmissionOptions;
  private readonly pace: AcceptPace;

  constructor(options: AdmissionOptions) {
    this.options = options;
    this.pace = new AcceptPace(options.acceptRate, performance.now());
  }

  decide(request: IncomingMessage, state: AdmissionState): AdmissionDecision {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
      const text = 'The only upgrade here is to websocket; send this request without Upgrade.';
      return refuse('bad_request', new AppError('bad_request', text));
    }
    const url = urlOf(request);
    if (url?.pathname !== '/ws')
      return refuse('bad_request', new AppError('not_found', 'WebSockets are served at /ws.'));
    if (!offersSubprotocol(request)) {
      return refuse(
        'bad_request',
        new AppError('bad_request', `The only WebSocket sub-protocol here is ${SUBPROTOCOL}.`),
      );
    }
    if (!isOriginAllowed(request, this.options.allowedOrigins)) {
      return refuse('origin_rejected', new AppError('forbidden', 'This origin may not connect (ALLOWED_ORIGINS).'));
    }
    return this.admit(state) ?? { allowed: true, credential: credentialOf(url.searchParams) };
  }

  private admit({ connections, draining }: AdmissionState): AdmissionDecision | undefined {
    const later = { retryAfterMs: RETRY_FULL_MS };
    if (draining) return refuse('draining', new AppError('draining', 'This node is leaving service.', later));
    if (connections >= this.options.maxConnections)
      return refuse('full', new AppError('overloaded', 'This node is full.', later));
    const waitMs = this.pace.ask(performance.now());
    if (waitMs === 0) return undefined;
    return refuse(
      'paced',
      new AppError('overloaded', 'Too many connections at once; retry.', { retryAfterMs: Math.ceil(waitMs) }),
    );
  }
}

function refuse(refusal: Refusal, error: AppError): AdmissionDecision {
  return { allowed: false, refusal, error };
}

/** Undefined: what the client asked for is no URL, such as `//`. */
function urlOf({ url = '/' }: IncomingMessage): URL | undefined {
  const base = 'ws://holdfast';
  return URL.canParse(url, base) ? new URL(url, base) : undefined;
}

function offersSubprotocol(request: IncomingMessage): boolean {
  const offered = request.headers['sec-websocket-protocol'];
  // None is fine: tools on the command line offer none.
  return offered === undefined || offered.split(',').some((name) => name.trim() === SUBPROTOCOL);
}

/** Requests without an Origin come from programs, not from pages, and bring their own credentials. */
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

/** Writes an HTTP error to a socket that will not be upgraded, and ends it. */
export function answerRefusal(socket: Duplex, error: AppError): void {
  // HTTP's timeouts ended with the upgrade: a peer that never closes its side would keep the socket for ever.
  socket.once('finish', () => socket.destroy());
  const body = JSON.stringify({ ok: false, error: errorBody(error) });
  const retryAfter = error.retryAfterMs === undefined ? '' : `Retry-After: ${Math.ceil(error.retryAfterMs / 1000)}\r\n`;
  socket.end(
    `HTTP/1.1 ${error.httpStatus} ${error.code}\r\n${retryAfter}Content-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
