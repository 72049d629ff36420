/** One WebSocket of a probe. It never reconnects and never tries again: what fails is what the probe is there to find. */
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
  /** Longest wait for any answer, milliseconds. */
  readonly timeoutMs: number;
}

type Fits<T extends Push> = (push: Push) => push is T;

export class ProbeConnection {
  /** Of the node that it reached. */
  nodeId = '';
  onMessage: (message: Message) => void = () => {};
  private readonly socket: WebSocket;
  private readonly timeoutMs: number;
  private readonly waiting = new Set<(push: Push) => void>();
  private readonly failing = new Set<(error: Error) => void>();
  private end: Error | undefined;
  private lastId = 0;

  private constructor({ url, ticket, timeoutMs }: ProbeConnectionOptions) {
    this.timeoutMs = timeoutMs;
    // A balancer that hashes would send both of a round's connections to the same node: each asks for any.
    const address = socketUrl({ url, affinity: String(Math.random()) }, ticket);
    this.socket = new WebSocket(address, SUBPROTOCOL, { handshakeTimeout: timeoutMs, perMessageDeflate: false });
    this.socket.on('message', (data) => this.receive(JSON.parse(String(data)) as Push));
    this.socket.on('error', (error) => this.fail(error));
    this.socket.on('close', (code, reason) =>
      this.fail(new Error(`The server closed with ${code}${reason.length > 0 ? ` (${reason})` : ''}.`)),
    );
  }

  /** Resolves after `welcome`. @throws Error: refused, closed, or no answer in time */
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

  /** @throws Error with the server's code and message, or when there is no answer in time */
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

  /** Says goodbye. */
  close(): void {
    this.fail(new Error('The probe closed the connection.'));
    this.socket.close(1000);
  }

  /** Ends it without a word, as a lost network does. */
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
    for (const look of [...this.waiting]) look(push);
  }

  /** The first push from now on that fits; an `error` for `id` rejects. */
  private next<T extends Push>(fits: Fits<T>, what: string, id?: string): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        this.waiting.delete(look);
        this.failing.delete(fail);
      };
      const fail = (error: Error) => {
        done();
        reject(error);
      };
      const look = (push: Push) => {
        if (push.type === 'error' && (id === undefined || push.id === id))
          fail(new Error(`${push.code}: ${push.message}`));
        else if (fits(push)) {
          done();
          resolve(push);
        }
      };
      const timer = setTimeout(() => fail(new Error(`No ${what} within ${this.timeoutMs} ms.`)), this.timeoutMs);
      this.waiting.add(look);
      this.failing.add(fail);
      if (this.end) fail(this.end);
    });
  }

  private fail(error: Error): void {
    this.end ??= error;
    for (const reject of [...this.failing]) reject(this.end);
  }
}
