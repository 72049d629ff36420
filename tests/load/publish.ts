/**
 * Durable publishes per second that one node acknowledges. PostgreSQL (fsync on), Redis and the load generator run on the
 * same machine. Closed loop: each connection keeps a fixed number of publishes in flight.
 */
import autocannon from 'autocannon';
import { build, type Histogram } from 'hdr-histogram-js';
import type { Cluster } from '../../infra/local/servers/cluster.ts';
import { progress, type Row } from './report.ts';
import { type LoadSession, openSession } from './session.ts';

/** About 140 bytes, as the data of a chat message has. */
const DATA = { text: 'x'.repeat(110), kind: 'message', v: 1 };
const CHANNELS = 100;
const WS = { connections: 16, inFlight: 64, rate: 20_000 };
const HTTP = { connections: 64, rate: 5_000 };
const P99_MAX_MS = 100;
const WARM_UP_MS = 2_000;

export async function measurePublish(cluster: Cluster, token: string, seconds: number): Promise<Row[]> {
  progress('publish over WebSocket ...');
  const ws = await overWebSocket(cluster, token, seconds);
  progress('publish over HTTP ...');
  return [ws, await overHttp(cluster, token, seconds)];
}

export async function overWebSocket(cluster: Cluster, token: string, seconds: number): Promise<Row> {
  const wsUrl = cluster.node(0).wsUrl;
  const sessions = await Promise.all(Array.from({ length: WS.connections }, () => openSession(wsUrl, token)));
  const state = { measuring: false, running: true, count: 0, errors: 0 };
  const histogram = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });
  sessions.forEach((session, i) => void keepPublishing(session, i, state, histogram));
  await sleep(WARM_UP_MS);
  state.measuring = true;
  const begin = performance.now();
  await sleep(seconds * 1000);
  const elapsed = (performance.now() - begin) / 1000;
  state.measuring = false;
  state.running = false;
  await sleep(500);
  for (const session of sessions) session.close();
  return toResult('WebSocket', state.count / elapsed, state.count, state.errors, histogram, WS.rate);
}

interface LoadState {
  measuring: boolean;
  running: boolean;
  count: number;
  errors: number;
}

/** Every answer triggers the next publish. The id of a command is the slot with the time at which it was sent. */
function keepPublishing(session: LoadSession, index: number, state: LoadState, histogram: Histogram): void {
  const sentAt = new Float64Array(WS.inFlight);
  const tail = `","data":${JSON.stringify(DATA)}}`;
  let turn = 0;
  const send = (slot: number) => {
    sentAt[slot] = performance.now();
    session.send(`{"type":"publish","id":"${slot}","channel":"bench:${(index * 7 + turn++) % CHANNELS}${tail}`);
  };
  session.onFrame((frame) => {
    const text = frame.toString('latin1');
    const slot = Number(/"id":"(\d+)"/.exec(text)?.[1] ?? -1);
    if (slot < 0) return;
    if (state.measuring) {
      if (text.startsWith('{"type":"ack"')) {
        state.count++;
        histogram.recordValue(Math.round((performance.now() - (sentAt[slot] as number)) * 1000));
      } else state.errors++;
    }
    if (state.running) send(slot);
  });
  for (let slot = 0; slot < WS.inFlight; slot++) send(slot);
}

async function overHttp(cluster: Cluster, token: string, seconds: number): Promise<Row> {
  let turn = 0;
  const result = await autocannon({
    url: `${cluster.node(0).url}/v1/chat.postMessage`,
    method: 'POST',
    connections: HTTP.connections,
    duration: seconds,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    requests: Array.from({ length: CHANNELS }, () => ({
      body: JSON.stringify({ channel: `bench:${turn++ % CHANNELS}`, data: DATA }),
    })),
  });
  const { p50, p99 } = result.latency;
  const rate = result['2xx'] / result.duration;
  const errors = result.errors + result.non2xx;
  const met = rate >= HTTP.rate && p99 < P99_MAX_MS && errors === 0;
  const count = result['2xx'];
  return { what: 'HTTP', per_second: rate, p50_ms: p50, p99_ms: p99, count, errors, target: target(HTTP.rate), met };
}

function toResult(
  name: string,
  rate: number,
  count: number,
  errors: number,
  histogram: Histogram,
  wanted: number,
): Row {
  const p50Ms = histogram.getValueAtPercentile(50) / 1000;
  const p99Ms = histogram.getValueAtPercentile(99) / 1000;
  const met = rate >= wanted && p99Ms < P99_MAX_MS && errors === 0;
  return { what: name, per_second: rate, p50_ms: p50Ms, p99_ms: p99Ms, count, errors, target: target(wanted), met };
}

const target = (rate: number) => `>= ${rate.toLocaleString('en-US')}/s, p99 < ${P99_MAX_MS} ms`;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
