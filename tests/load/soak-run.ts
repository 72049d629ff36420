/**
 * The soak: publishers, subscribers and random faults for a given time; then the faults heal, clients catch up, and the
 * delivery auditor counts. All servers are real. A seed decides which faults happen and for how long.
 */
import { Auditor, type AuditReport } from '../../server/audit/auditor.ts';
import { httpHistory } from '../../server/audit/http-history.ts';
import { AuditedClient } from '../support/audited-client.ts';
import { AuditedPublisher } from '../support/audited-publisher.ts';
import { type Arena, DEPENDENCY_FAULTS, type Fault, healAll, NODE_FAULTS } from '../support/faults/chaos.ts';
import { type FaultyCluster, startFaultyCluster } from '../support/faults/faulty-cluster.ts';
import { TcpProxy } from '../support/faults/tcp-proxy.ts';
import { pick, randomOf } from '../support/random.ts';
import { eventually, sleep } from '../support/wait.ts';

export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly onProgress?: (line: string) => void;
}

export interface SoakResult {
  readonly seed: number;
  readonly seconds: number;
  /** How often each fault was injected. */
  readonly faults: Readonly<Record<string, number>>;
  readonly audit: AuditReport;
  /** Messages in the history. Equals `audit.acknowledged`, because every message is retried until acknowledged. */
  readonly stored: number;
  readonly failedPublishes: number;
  readonly retriesThatWereStored: number;
  readonly reconnects: number;
  readonly recoveries: number;
  /** Every count that is not as it must be, in words; empty when nothing was lost. */
  readonly problems: readonly string[];
}

const NODES = 3;
const CHANNELS = ['room:1', 'room:2', 'room:3', 'room:4', 'room:5', 'room:6'];
const CLIENTS = 18;
const PUBLISHERS = 6;
/** Time without a frame after which a client reconnects; longer than a heartbeat, milliseconds. */
const SILENCE_MS = 6_000;
const SETTLE_MS = 90_000;

/** Small buffers and short times, so that limits are reached within a minute. */
const ENV = {
  COMMAND_RATE: '100000',
  PUBLISH_RATE_PER_USER: '100000',
  LOG_LEVEL: 'error',
  HEARTBEAT_INTERVAL_MS: '3000',
  HEARTBEAT_TIMEOUT_MS: '1500',
  SEND_HIGH_WATER_BYTES: '65536',
  SLOW_CONSUMER_MAX_MS: '3000',
  TAIL_WINDOW_MESSAGES: '16',
  HISTORY_PAGE_SIZE: '20',
  PG_STATEMENT_TIMEOUT_MS: '2000',
  PG_CONNECT_TIMEOUT_MS: '2000',
  REDIS_CANARY_INTERVAL_MS: '500',
  REDIS_CANARY_TIMEOUT_MS: '1500',
  DRAIN_RATE: '50',
  DRAIN_TIMEOUT_MS: '3000',
};

export async function runSoak({ seconds, seed, onProgress = () => {} }: SoakOptions): Promise<SoakResult> {
  const random = randomOf(seed);
  const faulty = await startFaultyCluster({ nodes: NODES, ownPostgres: true, replica: true, env: ENV });
  const clientLinks = await Promise.all(faulty.cluster.nodes.map((node) => TcpProxy.start(node.port)));
  try {
    return await soak(faulty, clientLinks, random, { seconds, seed, onProgress });
  } finally {
    for (const link of clientLinks) await link.stop();
    await faulty.stop();
  }
}

async function soak(
  faulty: FaultyCluster,
  clientLinks: readonly TcpProxy[],
  random: () => number,
  { seconds, seed, onProgress }: Required<SoakOptions>,
): Promise<SoakResult> {
  const token = await faulty.cluster.token({ user: 'soak', ttlSeconds: seconds + 3_600 });
  const anyNode = () => faulty.node(Math.floor(random() * NODES));
  // Reads from a random node, without the proxies between clients and nodes.
  const auditor = new Auditor({
    graceMs: 600_000,
    history: (channel, after) => httpHistory({ url: anyNode().url, token })(channel, after),
  });
  const clients = Array.from({ length: CLIENTS }, (_, i) => {
    const channels = CHANNELS.filter((_name, index) => index === i % CHANNELS.length || random() < 0.2);
    const link = () => pick(random, clientLinks);
    const wsUrl = () => `ws://127.0.0.1:${link().port}/ws`;
    return new AuditedClient({ auditor, token, name: `client ${i}`, channels, wsUrl, silenceMs: SILENCE_MS, random });
  });
  const publishers = Array.from(
    { length: PUBLISHERS },
    (_, i) => new AuditedPublisher({ auditor, token, name: `publisher-${i}`, url: () => anyNode().url, random }),
  );
  const faults: Record<string, number> = {};
  const arena: Arena = { faulty, clientLinks, clients, random };
  try {
    await eventually(() => assert(clients.every((client) => client.isReady)));
    const stop = new AbortController();
    const work = [
      ...publishers.map((publisher) => keepPublishing(publisher, random, stop.signal)),
      injectFaults(arena, DEPENDENCY_FAULTS, faults, stop.signal),
      injectFaults(arena, NODE_FAULTS, faults, stop.signal),
      report(auditor, faults, onProgress, stop.signal),
    ];
    const failed = Promise.race(work).catch((error: unknown) => error);
    await Promise.race([sleep(seconds * 1_000), failed]);
    stop.abort();
    for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
    onProgress('no more faults; clients catch up ...');
    await healAll(arena);
    await settle(auditor);
    const stored = await countStored(anyNode().url, token);
    return summarise({ seed, seconds, faults, audit: await auditor.close(), stored, publishers, clients });
  } finally {
    for (const client of clients) client.stop();
  }
}

async function keepPublishing(publisher: AuditedPublisher, random: () => number, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    // Without the signal, so that every message is retried until acknowledged: otherwise its outcome would be unknown.
    await publisher.publish(pick(random, CHANNELS), random() < 0.05 ? { padding: 'x'.repeat(20_000) } : {});
    await sleep(random() * 40);
  }
}

async function injectFaults(
  arena: Arena,
  catalogue: Readonly<Record<string, Fault>>,
  counts: Record<string, number>,
  stop: AbortSignal,
): Promise<void> {
  const names = Object.keys(catalogue);
  while (!stop.aborted) {
    await sleep(200 + arena.random() * 2_000);
    if (stop.aborted) return;
    const name = pick(arena.random, names);
    counts[name] = (counts[name] ?? 0) + 1;
    await catalogue[name]?.(arena);
  }
}

async function report(
  auditor: Auditor,
  faults: Readonly<Record<string, number>>,
  onProgress: (line: string) => void,
  stop: AbortSignal,
): Promise<void> {
  const begin = performance.now();
  while (!stop.aborted) {
    await sleep(5_000, undefined, { signal: stop }).catch(() => {});
    // A fault may make the history unavailable; the next round continues the read.
    await auditor.follow().catch(() => {});
    const { acknowledged, inOrder, lost, duplicated, reordered, altered, unstored } = auditor.report();
    const seconds = Math.round((performance.now() - begin) / 1_000);
    const count = Object.values(faults).reduce((sum, times) => sum + times, 0);
    onProgress(
      `${seconds} s: ${count} faults, ${acknowledged} acknowledged, ${inOrder} delivered, lost ${lost}, ` +
        `duplicated ${duplicated}, reordered ${reordered}, altered ${altered}, unstored ${unstored}`,
    );
  }
}

/** Waits until every subscriber has every message, at most SETTLE_MS; the auditor counts what is missing then. */
async function settle(auditor: Auditor): Promise<void> {
  const deadline = performance.now() + SETTLE_MS;
  while (performance.now() < deadline) {
    await auditor.follow().catch(() => {});
    if (auditor.isComplete) break;
    await sleep(200);
  }
  // Duplicates may arrive late.
  await sleep(1_000);
}

async function countStored(url: string, token: string): Promise<number> {
  const tops = CHANNELS.map(async (channel) => {
    const page = await httpHistory({ url, token })(channel, 0);
    return page.top;
  });
  return (await Promise.all(tops)).reduce((sum, top) => sum + top, 0);
}

interface Parts {
  readonly seed: number;
  readonly seconds: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly audit: AuditReport;
  readonly stored: number;
  readonly publishers: readonly AuditedPublisher[];
  readonly clients: readonly AuditedClient[];
}

function summarise({ publishers, clients, ...rest }: Parts): SoakResult {
  const { audit, stored } = rest;
  const zero = [
    'lost',
    'late',
    'duplicated',
    'reordered',
    'altered',
    'unstored',
    'declaredLost',
    'falseRecoveries',
  ] as const;
  const problems = zero.filter((key) => audit[key] !== 0).map((key) => `${key}: ${audit[key]}`);
  if (stored !== audit.acknowledged) problems.push(`stored ${stored}, acknowledged ${audit.acknowledged}`);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    ...rest,
    failedPublishes: sum(publishers.map((publisher) => publisher.failures)),
    retriesThatWereStored: sum(publishers.map((publisher) => publisher.duplicates)),
    reconnects: sum(clients.map((client) => client.reconnects)),
    recoveries: sum(clients.map((client) => client.recoveries)),
    problems,
  };
}

function assert(condition: boolean): void {
  if (!condition) throw new Error('not yet');
}
