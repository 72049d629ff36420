/**
 * Credentials of one connection: the address to open, with a ticket, or the `auth` frame to send first. Owns the ticket
 * request and maps its failures to errors. Must never open a WebSocket.
 */
import type { ErrorCode } from '../protocol/codes.ts';
import type { Command } from '../protocol/commands.ts';
import { fromWire, HoldfastError, toHoldfastError } from './errors.ts';
import type { TokenSource } from './tokens.ts';
import type { Fetch } from './types.ts';

export interface AccessOptions {
  url: string;
  auth: 'ticket' | 'message';
  affinity: string | undefined;
  fetch: Fetch;
  /** Timeout of the ticket request, in milliseconds. */
  timeoutMs: number;
}

/** What `connection.ts` needs to open a connection. The address may contain a ticket: never log it. */
export interface Access {
  url: string;
  /** The command to send as soon as the connection is open. */
  firstFrame?: Command;
}

/**
 * Requests a ticket where the options ask for one. If the server refuses the token, it tries once more with a fresh token.
 * @throws HoldfastError temporary when a later attempt may succeed, permanent when it would fail in the same way
 */
export async function obtainAccess(options: AccessOptions, tokens: TokenSource, signal: AbortSignal): Promise<Access> {
  const token = await tokens.get();
  if (options.auth === 'message') return { url: socketUrl(options), firstFrame: { type: 'auth', token } };
  try {
    return { url: socketUrl(options, await requestTicket(options, token, signal)) };
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError) || thrown.code !== 'unauthenticated' || !tokens.refused()) throw thrown;
    return { url: socketUrl(options, await requestTicket(options, await tokens.get(), signal)) };
  }
}

/** Turns `http(s)://host/path` into the WebSocket address of that service, `ws(s)://host/path/ws`. */
export function socketUrl(options: Pick<AccessOptions, 'url' | 'affinity'>, ticket?: string): string {
  const url = new URL(`${options.url.replace(/\/+$/, '')}/ws`);
  url.protocol = url.protocol === 'https:' || url.protocol === 'wss:' ? 'wss:' : 'ws:';
  if (ticket !== undefined) url.searchParams.set('ticket', ticket);
  if (options.affinity !== undefined) url.searchParams.set('affinity', options.affinity);
  return url.href;
}

async function requestTicket(options: AccessOptions, token: string, signal: AbortSignal): Promise<string> {
  const request: RequestInit = {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]),
    cache: 'no-store',
    credentials: 'omit',
  };
  let response: Response;
  let body: unknown;
  try {
    response = await options.fetch(`${options.url.replace(/\/+$/, '')}/auth/ticket`, request);
    body = await response.json().catch(() => null);
  } catch (thrown) {
    throw toHoldfastError(thrown, 'network');
  }
  if (response.ok && isTicket(body)) return body.ticket;
  throw ticketError(response, body);
}

/** A proxy answers without the error body of Holdfast; the HTTP status then decides the code. */
function ticketError(response: Response, body: unknown): HoldfastError {
  if (isErrorBody(body)) {
    const retry_after_ms = body.error.retry_after_ms ?? retryAfterMs(response);
    return fromWire({ ...body.error, ...(retry_after_ms === undefined ? {} : { retry_after_ms }) });
  }
  const { status } = response;
  const message = `The ticket request was answered with HTTP ${status}.`;
  if (status === 401) return new HoldfastError('unauthenticated', message);
  if (status >= 500 || status === 429 || status === 408)
    return new HoldfastError('unavailable', message, { retryAfterMs: retryAfterMs(response) });
  return new HoldfastError('refused', `${message} Is the url right?`);
}

function retryAfterMs(response: Response): number | undefined {
  const seconds = Number.parseFloat(response.headers.get('retry-after') ?? '');
  return Number.isFinite(seconds) ? seconds * 1_000 : undefined;
}

function isTicket(body: unknown): body is { ticket: string } {
  return typeof body === 'object' && body !== null && 'ticket' in body && typeof body.ticket === 'string';
}

function isErrorBody(body: unknown): body is { error: { code: ErrorCode; message: string; retry_after_ms?: number } } {
  if (typeof body !== 'object' || body === null || !('error' in body)) return false;
  const { error } = body;
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    typeof error.code === 'string' &&
    'message' in error
  );
}
