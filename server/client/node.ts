/**
 * The SDK in Node: `ws` as WebSocket, the global `fetch`. Owns the choice of platform and nothing else.
 */
import { WebSocket } from 'ws';
import { Client } from './client.ts';
import type { ClientOptions, HoldfastClient, WebSocketConstructor } from './types.ts';

export type { Json, Message, Position, RecoveryFailure, Welcome } from '../protocol/messages.ts';
export type { BackoffOptions } from './backoff.ts';
export { type ClientErrorCode, HoldfastError } from './errors.ts';
export type * from './types.ts';

/** Makes a client. Nothing is opened before `connect()`. */
export function createClient(options: ClientOptions): HoldfastClient {
  return new Client(options, {
    // The types of `ws` spell its events differently; the parts that the SDK uses are the same.
    WebSocket: WebSocket as unknown as WebSocketConstructor,
    fetch: (url, init) => globalThis.fetch(url, init),
  });
}
