/**
 * Entry point for browsers, and for every runtime that is not Node.js: global `WebSocket` and `fetch`.
 * Must never import a package or a Node.js module, so that bundles for browsers stay free of them.
 */
import { Client } from './client.ts';
import { HoldfastError } from './errors.ts';
import type { ClientOptions, HoldfastClient, WebSocketConstructor } from './types.ts';

export * from './api.ts';

/** Makes a client. It opens no connection before `connect()`. */
export function createClient(options: ClientOptions): HoldfastClient {
  return new Client(options, { loadWebSocket, fetch: (url, init) => globalThis.fetch(url, init) });
}

async function loadWebSocket(): Promise<WebSocketConstructor> {
  if (globalThis.WebSocket !== undefined) return globalThis.WebSocket;
  throw new HoldfastError(
    'websocket_missing',
    'This platform has no global WebSocket. Pass an implementation as the option WebSocket.',
  );
}
