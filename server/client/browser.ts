/**
 * The SDK in a browser, or in any runtime with global `WebSocket` and `fetch`. The build makes `client.js` of this file.
 * Owns the choice of platform and nothing else.
 */
import { Client } from './client.ts';
import type { ClientOptions, HoldfastClient } from './types.ts';

export type { Json, Message, Position, RecoveryFailure, Welcome } from '../protocol/messages.ts';
export type { BackoffOptions } from './backoff.ts';
export { type ClientErrorCode, HoldfastError } from './errors.ts';
export type * from './types.ts';

/** Makes a client. Nothing is opened before `connect()`. */
export function createClient(options: ClientOptions): HoldfastClient {
  return new Client(options, { WebSocket: globalThis.WebSocket, fetch: (url, init) => globalThis.fetch(url, init) });
}
