/**
 * A recovery storm. All nodes are killed while clients follow their channels. After a restart, messages are published
 * that the clients miss. Then all clients reconnect at once and recover from their positions. Measures the time until
 * all have caught up, and the Postgres reads that this takes.
 */
import { WebSocket } from 'ws';
import type { Cluster } from '../../infra/local/servers/cluster.ts';
import { metric } from '../support/api.ts';
import { progress, type Row } from './report.ts';
import { openSession } from './session.ts';

export interface StormOptions {
  readonly clients: number;
  readonly channels: number;
  /** Messages per channel that the clients miss. */
  readonly missed: number;
  /** Environment that the nodes get when they restart, such as an accept rate. Default: unchanged. */
  readonly restartEnv?: Readonly<Record<string, string>>;
}

/** Time in which all clients must have caught up; meant for 10,000 clients that miss 100 messages each. */
const TARGET_SECONDS = 10;
const READS = ['page', 'tops', 'recent'] as const;
/** Connections opened at once while the storm is prepared. The storm itself opens all of them at once. */
const OPENING = 200;

export async function measureStorm(
  cluster: Cluster,
  token: string,
  options: StormOptions,
  onProgress: (line: string) => void = progress,
): Promise<Row> {
  const { clients: count, channels, missed, restartEnv } = options;
  onProgress(`${count} clients over ${channels} channels ...`);
  const run = `${Date.now().toString(36)}-${count}-${channels}`;
  const clients = Array.from(
    { length: count },
    (_, i) => new StormClient(token, `storm:${run}:${i % channels}`, () => wsUrl(cluster, i)),
  );
  for (let i = 0; i < count; i += OPENING)
    await Promise.all(clients.slice(i, i + OPENING).map((client) => client.open()));
  onProgress('killing all nodes ...');
  await Promise.all(cluster.nodes.map((node) => node.process.kill('SIGKILL')));
  await Promise.all(clients.map((client) => client.gone));
  await Promise.all(cluster.nodes.map((node) => node.restart(restartEnv)));
  onProgress(`publishing ${missed} messages to each channel ...`);
  await publishAll(
    cluster,
    token,
    Array.from({ length: channels }, (_, i) => `storm:${run}:${i}`),
    missed,
  );
  const before = await readsOf(cluster);
  const begin = performance.now();
  onProgress('all clients reconnect ...');
  await Promise.all(clients.map((client) => client.recover(missed)));
  const seconds = (performance.now() - begin) / 1000;
  const after = await readsOf(cluster);
  const wrong = clients.reduce((sum, client) => sum + client.wrong, 0);
  const refused = clients.reduce((sum, client) => sum + client.refused, 0);
  for (const client of clients) client.close();
  const reads = Object.fromEntries(READS.map((kind) => [`${kind}_reads`, (after[kind] ?? 0) - (before[kind] ?? 0)]));
  return {
    clients: count,
    channels,
    missed_each: missed,
    caught_up_seconds: seconds,
    messages: count * missed,
    lost_or_doubled: wrong,
    refused_at_first: refused,
    ...reads,
    met: wrong === 0 && seconds < TARGET_SECONDS,
  };
}

function wsUrl(cluster: Cluster, index: number): string {
  return cluster.node(index % cluster.nodes.length).wsUrl;
}

async function readsOf(cluster: Cluster): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const { metricsUrl } of cluster.nodes)
    for (const kind of READS)
      sums[kind] = (sums[kind] ?? 0) + (await metric(metricsUrl, 'holdfast_history_statements_total', { kind }));
  return sums;
}

async function publishAll(cluster: Cluster, token: string, channels: readonly string[], each: number): Promise<void> {
  const session = await openSession(wsUrl(cluster, 0), token);
  const total = channels.length * each;
  let acked = 0;
  let sent = 0;
  await new Promise<void>((resolve, reject) => {
    const send = () => {
      if (sent >= total) return;
      const channel = channels[sent % channels.length];
      session.send(`{"type":"publish","id":"${sent++}","channel":"${channel}","data":{"text":"${'x'.repeat(110)}"}}`);
    };
    session.onFrame((frame) => {
      const text = frame.toString('latin1');
      if (text.startsWith('{"type":"error"')) reject(new Error(text));
      else if (text.startsWith('{"type":"ack"') && ++acked === total) resolve();
      else send();
    });
    for (let i = 0; i < 500; i++) send();
  });
  session.close();
}

/** A client that costs the load generator little: it finds offsets in the text of frames, without parsing JSON. */
class StormClient {
  wrong = 0;
  refused = 0;
  private readonly token: string;
  private readonly channel: string;
  private readonly url: () => string;
  private epoch = '';
  private offset = 0;
  private ws: WebSocket | undefined;
  private done: () => void = () => {};
  private target = Number.POSITIVE_INFINITY;
  gone: Promise<void> = Promise.resolve();

  constructor(token: string, channel: string, url: () => string) {
    this.token = token;
    this.channel = channel;
    this.url = url;
  }

  /** Resolves when the client follows its channel. */
  open(): Promise<void> {
    return new Promise((resolve) => {
      this.connect(() => resolve());
    });
  }

  /** Reconnects with its position; resolves when `missed` messages have arrived. */
  recover(missed: number): Promise<void> {
    this.target = this.offset + missed;
    return new Promise((resolve) => {
      this.done = resolve;
      this.connect(() => {});
    });
  }

  close(): void {
    this.ws?.removeAllListeners('close');
    this.ws?.terminate();
  }

  private connect(subscribed: () => void): void {
    const ws = new WebSocket(this.url(), ['holdfast.v1'], { perMessageDeflate: false, skipUTF8Validation: true });
    this.ws = ws;
    ws.on('unexpected-response', (request, response) => {
      // The node is over its accept rate: retry after the delay that it gives, with jitter.
      this.refused++;
      const wait = Number(response.headers['retry-after'] ?? 1) * 1_000;
      this.ws = undefined;
      request.destroy();
      setTimeout(() => this.connect(subscribed), wait + Math.random() * 1_000);
    });
    ws.on('error', () => {
      // `close` follows.
    });
    ws.on('open', () => ws.send(`{"type":"auth","token":"${this.token}"}`));
    this.gone = new Promise((resolve) => ws.on('close', () => resolve()));
    ws.on('close', () => this.reconnect(ws));
    ws.on('message', (frame: Buffer) => this.receive(ws, frame.toString('latin1'), subscribed));
  }

  /** Reconnects when the connection ended before all messages had arrived. A refused upgrade has its own retry. */
  private reconnect(ws: WebSocket): void {
    if (ws !== this.ws || this.offset >= this.target || this.target === Number.POSITIVE_INFINITY) return;
    setTimeout(() => this.connect(() => {}), Math.random() * 1_000);
  }

  private receive(ws: WebSocket, text: string, subscribed: () => void): void {
    if (text.startsWith('{"type":"message"')) {
      this.count(Number(/"offset":(\d+)/.exec(text)?.[1]));
    } else if (text.startsWith('{"type":"welcome"')) {
      const recover = this.epoch && `,"recover":{"epoch":"${this.epoch}","offset":${this.offset}}`;
      ws.send(`{"type":"subscribe","channel":"${this.channel}"${recover}}`);
    } else if (text.startsWith('{"type":"subscribed"')) {
      const reply = JSON.parse(text) as { epoch: string; offset: number; recovered: boolean };
      if (this.epoch && (!reply.recovered || reply.offset !== this.offset)) this.wrong++;
      this.epoch = reply.epoch;
      this.offset = reply.offset;
      subscribed();
    } else if (text.startsWith('{"type":"ping"')) {
      ws.send('{"type":"pong"}');
    }
  }

  private count(offset: number): void {
    if (offset !== this.offset + 1) this.wrong++;
    this.offset = offset;
    if (offset === this.target) this.done();
  }
}
