/**
 * Entry point for Node.js: the global WebSocket (Node.js 22 and later), else the package `ws`; the global `fetch`.
 * Must never import `ws` statically: applications on Node.js 22 and later do not install it.
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
  try {
    const { WebSocket } = await import('ws');
    return WebSocket;
  } catch (cause) {
    const message = `Node.js ${process.versions.node} has no global WebSocket, and the package ws could not be loaded. Run: npm install ws`;
    throw new HoldfastError('websocket_missing', message, { cause });
  }
}
