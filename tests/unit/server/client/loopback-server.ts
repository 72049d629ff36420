/**
 * A small server of `holdfast.v1` on loopback for the tests of the client: real sockets, channels in memory, and hooks
 * that inject faults. It implements only what these tests need.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Command, CommandOf } from '../../../../server/protocol/commands.ts';
import type { Message, Position, Push } from '../../../../server/protocol/messages.ts';

/** One client, as the server sees it. */
export interface Peer {
  readonly socket: WebSocket;
  readonly url: URL;
  /** Everything that arrived, in order. */
  readonly received: Command[];
  readonly channels: Set<string>;
  send(push: Push): void;
}

interface Channel {
  epoch: string;
  messages: Message[];
  keys: Map<string, number>;
}

/** Returns true when it handled the command. */
export type Interceptor = (command: Command, peer: Peer) => boolean;

export class LoopbackServer {
  readonly peers: Peer[] = [];
  readonly tickets: { authorization: string | undefined; at: number }[] = [];
  readonly channels = new Map<string, Channel>();
  heartbeat = { intervalMs: 30_000, timeoutMs: 10_000 };
  maxPayloadBytes = 65_536;
  /** Replaces the answer to a ticket request; undefined keeps the default answer. */
  onTicket: (
    request: IncomingMessage,
  ) => { status: number; body: unknown; headers?: Record<string, string> } | undefined = () => undefined;
  /** Called for each new connection. Returns true when it handled the connection. */
  onConnection: (peer: Peer) => boolean = () => false;
  intercept: Interceptor = () => false;
  readonly #http = createServer((request, response) => this.#answer(request, response));
  readonly #ws = new WebSocketServer({ server: this.#http, path: '/ws', handleProtocols: () => 'holdfast.v1' });

  async start(): Promise<this> {
    this.#ws.on('connection', (socket, request) => this.#connected(socket, request));
    await new Promise<void>((resolve) => this.#http.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  /** The newest connection. */
  get peer(): Peer {
    const peer = this.peers.at(-1);
    if (!peer) throw new Error('No client has connected.');
    return peer;
  }

  channel(name: string): Channel {
    let channel = this.channels.get(name);
    if (!channel) {
      channel = { epoch: 'e1', messages: [], keys: new Map() };
      this.channels.set(name, channel);
    }
    return channel;
  }

  /** Stores a message and sends it to all subscribed connections. */
  append(name: string, data: Message['data'] = null, sender = 'server'): Message {
    const { messages } = this.channel(name);
    const offset = messages.length + 1;
    const id = `${name}-${offset}`;
    const message: Message = {
      type: 'message',
      channel: name,
      offset,
      id,
      sender,
      data,
      created_at: new Date().toISOString(),
    };
    messages.push(message);
    for (const peer of this.peers) if (peer.channels.has(name)) peer.send(message);
    return message;
  }

  async stop(): Promise<void> {
    for (const { socket } of this.peers) socket.terminate();
    this.#ws.close();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  welcome(peer: Peer): void {
    peer.send({
      type: 'welcome',
      connection_id: `conn-${this.peers.length}`,
      node_id: 'loopback',
      user: 'ada',
      heartbeat_interval_ms: this.heartbeat.intervalMs,
      heartbeat_timeout_ms: this.heartbeat.timeoutMs,
      max_payload_bytes: this.maxPayloadBytes,
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.tickets.push({ authorization: request.headers.authorization, at: Date.now() });
    const answer = this.onTicket(request) ?? {
      status: 200,
      body: { ok: true, ticket: `t${this.tickets.length}`, expires_in_ms: 10_000 },
    };
    response.writeHead(answer.status, {
      'content-type': 'application/json',
      ...('headers' in answer ? answer.headers : {}),
    });
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
  }

  #connected(socket: WebSocket, request: IncomingMessage): void {
    const peer: Peer = {
      socket,
      url: new URL(request.url ?? '/', this.url),
      received: [],
      channels: new Set(),
      send: (push) => socket.send(JSON.stringify(push)),
    };
    this.peers.push(peer);
    socket.on('close', () => peer.channels.clear());
    socket.on('message', (data) => {
      const command = JSON.parse(String(data)) as Command;
      peer.received.push(command);
      if (!this.intercept(command, peer)) this.#handle(command, peer);
    });
    if (!this.onConnection(peer) && peer.url.searchParams.has('ticket')) this.welcome(peer);
  }

  #handle(command: Command, peer: Peer): void {
    if (command.type === 'auth') this.welcome(peer);
    else if (command.type === 'subscribe') this.#subscribe(command, peer);
    else if (command.type === 'publish') this.#publish(command, peer);
    else if (command.type === 'unsubscribe') {
      const { id, channel } = command;
      peer.channels.delete(channel);
      peer.send({ type: 'unsubscribed', ...(id === undefined ? {} : { id }), channel });
    }
  }

  #subscribe({ id, channel, recover }: CommandOf<'subscribe'>, peer: Peer): void {
    const answer = { ...(id === undefined ? {} : { id }), channel };
    if (peer.channels.has(channel)) {
      peer.send({ type: 'error', ...answer, code: 'already_subscribed', message: 'Already.' });
      return;
    }
    peer.channels.add(channel);
    const { epoch, messages } = this.channel(channel);
    const top = messages.length;
    const from = recover as Position | undefined;
    const recovered = from !== undefined && from.epoch === epoch && from.offset <= top;
    const offset = recovered ? from.offset : top;
    const reason = from && !recovered ? (from.epoch === epoch ? 'position_ahead' : 'epoch_changed') : undefined;
    peer.send({ type: 'subscribed', ...answer, epoch, offset, top, recovered, ...(reason ? { reason } : {}) });
    for (const message of messages.slice(offset)) peer.send(message);
  }

  #publish({ id, channel: name, data, client_msg_id }: CommandOf<'publish'>, peer: Peer): void {
    const channel = this.channel(name);
    const known = client_msg_id === undefined ? undefined : channel.keys.get(client_msg_id);
    const offset = known ?? this.append(name, data as Message['data'], 'ada').offset;
    if (client_msg_id !== undefined) channel.keys.set(client_msg_id, offset);
    const duplicate = known === undefined ? {} : { duplicate: true as const };
    peer.send({ type: 'ack', id, channel: name, offset, epoch: channel.epoch, ...duplicate });
  }
}

/** Waits until `check` returns a truthy value, and returns it. */
export async function until<T>(check: () => T, what: string, timeoutMs = 5_000): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = check();
    if (value) return value as NonNullable<T>;
    if (Date.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
