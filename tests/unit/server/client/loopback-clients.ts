/** Clients of a loopback server, and what they report. */
import { afterEach, beforeEach } from '@jest/globals';
import { createClient, type HoldfastError } from '../../../../server/client/node.ts';
import type { ClientOptions, HoldfastClient, Loss, SubscriptionHandlers } from '../../../../server/client/types.ts';
import { LoopbackServer } from './loopback-server.ts';

export const CHANNEL = 'room:42';

export interface TestClient {
  readonly client: HoldfastClient;
  /** The states and errors that the client has reported so far. */
  readonly states: string[];
  readonly errors: HoldfastError[];
}

/** The clients of one test. */
export class LoopbackClients {
  private readonly url: string;
  private readonly clients: HoldfastClient[] = [];

  constructor(server: LoopbackServer) {
    this.url = server.url;
  }

  /** A client with a backoff of 10 to 100 ms, so that tests do not wait for seconds. */
  make(options: Partial<ClientOptions> = {}): TestClient {
    const client = createClient({ url: this.url, token: 'jwt', backoff: { baseMs: 10, maxMs: 100 }, ...options });
    const states: string[] = [];
    const errors: HoldfastError[] = [];
    client.on('state', (state) => states.push(state));
    client.on('error', (error) => errors.push(error));
    this.add(client);
    return { client, states, errors };
  }

  /** Has `close()` close this client too. */
  add(client: HoldfastClient): void {
    this.clients.push(client);
  }

  close(): void {
    for (const client of this.clients) client.close();
  }
}

/** Subscribes to CHANNEL, and records what arrives. */
export function follow(client: HoldfastClient, more: Partial<SubscriptionHandlers> = {}) {
  const offsets: number[] = [];
  const losses: Loss[] = [];
  const handlers = {
    onMessage: (it: { offset: number }) => offsets.push(it.offset),
    onLost: (it: Loss) => losses.push(it),
  };
  return { offsets, losses, subscription: client.subscribe(CHANNEL, { ...handlers, ...more }) };
}

/** What one test uses; replaced before the next. */
export interface Loopback {
  server: LoopbackServer;
  clients: LoopbackClients;
}

/** Starts a server before each test of the file, and ends it and its clients after the test. */
export function useLoopback(): Loopback {
  const loopback = {} as Loopback;
  beforeEach(async () => {
    loopback.server = await new LoopbackServer().start();
    loopback.clients = new LoopbackClients(loopback.server);
  });
  afterEach(async () => {
    loopback.clients.close();
    await loopback.server.stop();
  });
  return loopback;
}
