/**
 * A WebSocket client that speaks the protocol and nothing more. It never reconnects and never removes duplicates, so
 * that tests see exactly what the server sends.
 */
import { once } from 'node:events';
import { type ClientOptions, WebSocket } from 'ws';
import type { Message, Push, Subscribed } from '../../server/protocol/messages.ts';

export interface RawClientOptions {
  readonly query?: string;
  readonly protocols?: string[];
  readonly ws?: ClientOptions;
}

type PushOf<T extends Push['type']> = Extract<Push, { type: T }>;

/** Default limit of every wait: long, because a machine that runs all tests is slow. It costs nothing when all is well. */
const WAIT_MS = 20_000;

export class RawClient {
  readonly ws: WebSocket;
  /** Everything received, pings included. */
  readonly pushes: Push[] = [];
  closed: { code: number; reason: string } | undefined;

  constructor(wsUrl: string, { query = '', protocols = ['holdfast.v1'], ws = {} }: RawClientOptions = {}) {
    this.ws = new WebSocket(wsUrl + query, protocols, ws).setMaxListeners(0);
    this.ws.on('message', (frame) => this.receive(JSON.parse(String(frame)) as Push));
    this.ws.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
    this.ws.on('error', () => {
      // `close` follows.
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

  /**
   * The first push of this type that `fits`, whether it has arrived already or is still to come.
   * @throws Error after the timeout, or when the connection closes first
   */
  next<T extends Push['type']>(
    type: T,
    fits: (push: PushOf<T>) => boolean = () => true,
    timeoutMs = WAIT_MS,
  ): Promise<PushOf<T>> {
    const find = (pushes: readonly Push[]) => pushes.find((push) => push.type === type && fits(push as PushOf<T>));
    const failure = (why: string) => new Error(`No fitting ${type} ${why}: ${this.summary()}`);
    return new Promise((resolve, reject) => {
      const settle = (found: Push | undefined, why = '') => {
        clearTimeout(timer);
        this.ws.off('message', onMessage).off('close', onClose);
        if (found) resolve(found as PushOf<T>);
        else reject(failure(why));
      };
      // The constructor's listener runs first, so the newest push is in `pushes`.
      const onMessage = () => {
        const found = find(this.pushes.slice(-1));
        if (found) settle(found);
      };
      const onClose = () => settle(undefined, 'before the connection closed');
      const timer = setTimeout(() => settle(undefined, `within ${timeoutMs} ms`), timeoutMs);
      this.ws.on('message', onMessage).on('close', onClose);
      const found = find(this.pushes);
      if (found) settle(found);
      else if (this.closed) onClose();
    });
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

  /** The code with which the connection was closed. @throws Error when it is still open after the timeout */
  async closeCode(timeoutMs = WAIT_MS): Promise<number> {
    if (this.closed) return this.closed.code;
    return new Promise((resolve, reject) => {
      const failure = () => new Error(`The connection is still open after ${timeoutMs} ms: ${this.summary()}`);
      const timer = setTimeout(() => reject(failure()), timeoutMs);
      this.ws.once('close', (code) => {
        clearTimeout(timer);
        resolve(code);
      });
    });
  }

  /** Ends the connection without a close frame. */
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

/** The offsets 1 to `top`: what a subscriber from the start of a channel must receive. */
export function offsetsUpTo(top: number): number[] {
  return Array.from({ length: top }, (_, i) => i + 1);
}
