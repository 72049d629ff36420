/** One WebSocket of a probe. It never reconnects or retries, so that every failure becomes visible to the probe. */
import { WebSocket } from 'ws';
import { socketUrl } from '../client/access.ts';
import type { Command } from '../protocol/commands.ts';
import {
  type Ack,
  type Message,
  type Position,
  type Push,
  SUBPROTOCOL,
  type Subscribed,
  type Welcome,
} from '../protocol/messages.ts';

export interface ProbeConnectionOptions {
  readonly url: string;
  readonly ticket: string;
  /** Longest wait for one reply, milliseconds. */
  readonly timeoutMs: number;
}

type IsExpected<T extends Push> = (push: Push) => push is T;

export class ProbeConnection {
  /** Id of the node that accepted the connection. */
  nodeId = '';
  onMessage: (message: Message) => void = () => {};
  private readonly socket: WebSocket;
  private readonly timeoutMs: number;
  private readonly listeners = new Set<(push: Push) => void>();
  private readonly rejections = new Set<(error: Error) => void>();
  /** Why the connection ended. */
  private failure: Error | undefined;
  private lastId = 0;

  private constructor({ url, ticket, timeoutMs }: ProbeConnectionOptions) {
    this.timeoutMs = timeoutMs;
    // A balancer that hashes the address would send both connections of a round to the same node, so each address differs.
    const address = socketUrl({ url, affinity: String(Math.random()) }, ticket);
    this.socket = new WebSocket(address, SUBPROTOCOL, { handshakeTimeout: timeoutMs, perMessageDeflate: false });
    this.socket.on('message', (data) => this.receive(JSON.parse(String(data)) as Push));
    this.socket.on('error', (error) => this.fail(error));
    this.socket.on('close', (code, reason) =>
      this.fail(new Error(`The server closed with ${code}${reason.length > 0 ? ` (${reason})` : ''}.`)),
    );
  }

  /** Resolves after `welcome`. @throws Error when the server refuses, closes, or does not reply in time */
  static async open(options: ProbeConnectionOptions): Promise<ProbeConnection> {
    const connection = new ProbeConnection(options);
    try {
      const welcome = await connection.next((push): push is Welcome => push.type === 'welcome', 'welcome');
      connection.nodeId = welcome.node_id;
      return connection;
    } catch (error) {
      connection.drop();
      throw error;
    }
  }

  /** @throws Error with the code and message of the server, or when it does not reply in time */
  subscribe(channel: string, recover?: Position): Promise<Subscribed> {
    const id = this.nextId();
    const reply = this.next(
      (push): push is Subscribed => push.type === 'subscribed' && push.id === id,
      'subscribed',
      id,
    );
    this.send({ type: 'subscribe', id, channel, ...(recover && { recover }) });
    return reply;
  }

  /** Resolves with the acknowledgement. @throws as `subscribe` */
  publish(channel: string, data: { readonly [key: string]: string | number }): Promise<Ack> {
    const id = this.nextId();
    const reply = this.next((push): push is Ack => push.type === 'ack' && push.id === id, 'ack', id);
    this.send({ type: 'publish', id, channel, data: { ...data } });
    return reply;
  }

  /** Closes with a close frame. */
  close(): void {
    this.fail(new Error('The probe closed the connection.'));
    this.socket.close(1000);
  }

  /** Ends the connection without a close frame, like a network failure. */
  drop(): void {
    this.fail(new Error('The probe dropped the connection.'));
    this.socket.terminate();
  }

  private nextId(): string {
    return `p${++this.lastId}`;
  }

  private send(command: Command): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(command));
  }

  private receive(push: Push): void {
    if (push.type === 'ping') this.send({ type: 'pong' });
    else if (push.type === 'message') this.onMessage(push);
    for (const listener of [...this.listeners]) listener(push);
  }

  /** Resolves with the next push that is expected. An `error` push for `id` rejects. */
  private next<T extends Push>(isExpected: IsExpected<T>, what: string, id?: string): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        this.listeners.delete(listener);
        this.rejections.delete(fail);
      };
      const fail = (error: Error) => {
        done();
        reject(error);
      };
      const listener = (push: Push) => {
        if (push.type === 'error' && (id === undefined || push.id === id))
          fail(new Error(`${push.code}: ${push.message}`));
        else if (isExpected(push)) {
          done();
          resolve(push);
        }
      };
      const timer = setTimeout(() => fail(new Error(`No ${what} within ${this.timeoutMs} ms.`)), this.timeoutMs);
      this.listeners.add(listener);
      this.rejections.add(fail);
      if (this.failure) fail(this.failure);
    });
  }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const reject of [...this.rejections]) reject(this.failure);
  }
}
