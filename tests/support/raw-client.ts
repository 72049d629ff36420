/** A WebSocket that speaks the protocol and nothing more: no reconnect, no de-duplication, so tests see what the server does. */
import { once } from 'node:events';
import { type ClientOptions, WebSocket } from 'ws';
import type { Message, Push, Subscribed } from '../../server/protocol/messages.ts';
import { eventually } from './wait.ts';

export interface RawClientOptions {
  readonly query?: string;
  readonly protocols?: string[];
  readonly ws?: ClientOptions;
}

export class RawClient {
  readonly ws: WebSocket;
  /** Everything received, pings too. */
  readonly pushes: Push[] = [];
  closed: { code: number; reason: string } | undefined;

  constructor(wsUrl: string, { query = '', protocols = ['holdfast.v1'], ws = {} }: RawClientOptions = {}) {
    this.ws = new WebSocket(wsUrl + query, protocols, ws);
    this.ws.on('message', (frame) => this.receive(JSON.parse(String(frame)) as Push));
    this.ws.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
    this.ws.on('error', () => {
      // The close event, or the test's wait, tells what happened.
    });
  }

  /** Opens a connection and authenticates with the first message; resolves after `welcome`. */
  static async open(wsUrl: string, token: string): Promise<RawClient> {
    const client = new RawClient(wsUrl);
    await once(client.ws, 'open');
    client.send({ type: 'auth', token });
    await client.next('welcome');
    return client;
  }

  send(command: unknown): void {
    this.ws.send(typeof command === 'string' ? command : JSON.stringify(command));
  }

  /** The first push of this type (that fits), already received or still to come. @throws after the timeout, or when closed */
  next<T extends Push['type']>(
    type: T,
    fits: (push: Extract<Push, { type: T }>) => boolean = () => true,
    timeoutMs = 20_000,
  ): Promise<Extract<Push, { type: T }>> {
    return eventually(
      () => {
        const found = this.pushes.find((push) => push.type === type && fits(push as never));
        if (!found) throw new Error(`no ${type}; got ${this.summary()}`);
        return found as Extract<Push, { type: T }>;
      },
      { timeoutMs },
    );
  }

  async subscribe(channel: string, recover?: { epoch: string; offset: number }): Promise<Subscribed> {
    const id = `s${this.pushes.length}-${channel}`;
    this.send({ type: 'subscribe', id, channel, ...(recover && { recover }) });
    return this.next('subscribed', (push) => push.id === id);
  }

  messages(channel?: string): Message[] {
    return this.pushes.filter((push) => push.type === 'message').filter((push) => !channel || push.channel === channel);
  }

  offsets(channel?: string): number[] {
    return this.messages(channel).map((message) => message.offset);
  }

  async closeCode(timeoutMs = 20_000): Promise<number> {
    await eventually(
      () => {
        if (!this.closed) throw new Error(`still open; got ${this.summary()}`);
      },
      { timeoutMs },
    );
    return this.closed?.code ?? 0;
  }

  close(): void {
    this.ws.terminate();
  }

  private receive(push: Push): void {
    this.pushes.push(push);
    if (push.type === 'ping') this.send({ type: 'pong' });
  }

  private summary(): string {
    const last = this.pushes.slice(-5).map((push) => JSON.stringify(push).slice(0, 200));
    return `${this.pushes.length} pushes, last ${last.join(' ')}${this.closed ? `, closed ${this.closed.code}` : ''}`;
  }
}

/** 1 to `top`, as a channel received from its begin must show it. */
export function offsetsUpTo(top: number): number[] {
  return Array.from({ length: top }, (_, i) => i + 1);
}
