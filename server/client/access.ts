/**
 * How a connection gets in: the address to open, and the first frame if one is needed. Owns the ticket request and what
 * its failures mean. Never opens a WebSocket.
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
  /** Longest wait for the ticket, in milliseconds. */
  timeoutMs: number;
}

/** What `connection.ts` needs to open. The address holds a credential: do not log it. */
export interface Access {
  url: string;
  /** Sent first on the open connection. */
  firstFrame?: Command;
}

/**
 * Gets in, with a fresh token if the first is refused.
 * @throws HoldfastError temporary: worth another try after a wait; permanent: it would end the same way
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

/** `http(s)://host/path` as the `ws(s)://host/path/ws` of the same service. */
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

/** Proxies answer without our error body; then the status speaks. */
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
