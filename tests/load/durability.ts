/**
 * Messages while Redis is stopped and started again. Counts what the history holds and what every subscriber on both
 * nodes has received: before the stop, while Redis is down, and after its return.
 */
import type { Cluster } from '../../infra/local/servers/cluster.ts';
import { Auditor, type AuditReport } from '../../server/audit/auditor.ts';
import { httpHistory } from '../../server/audit/http-history.ts';
import { metric } from '../support/api.ts';
import { AuditedClient } from '../support/audited-client.ts';
import { AuditedPublisher } from '../support/audited-publisher.ts';
import { eventually, sleep } from '../support/wait.ts';
import { progress, type Row } from './report.ts';

export interface DurabilityOptions {
  readonly messages: number;
  readonly subscribers: number;
}

const CHANNEL = 'bench:durability';
/** Limit of every wait. */
const DEADLINE = { timeoutMs: 60_000 };
/** Time after the return of Redis in which duplicates would arrive. */
const AFTERMATH_MS = 5_000;

export async function measureDurability(
  cluster: Cluster,
  token: string,
  { messages, subscribers }: DurabilityOptions,
): Promise<Row[]> {
  const node = (index: number) => cluster.node(index % cluster.nodes.length);
  const auditor = new Auditor({ history: httpHistory({ url: node(0).url, token }) });
  const clients = Array.from(
    { length: subscribers },
    (_, i) =>
      new AuditedClient({ auditor, token, name: `subscriber ${i}`, channels: [CHANNEL], wsUrl: () => node(i).wsUrl }),
  );
  await eventually(() =>
    must(
      clients.every((client) => client.isReady),
      'every client is subscribed',
    ),
  );
  let turn = 0;
  const publisher = new AuditedPublisher({ auditor, token, name: 'publisher', url: () => node(turn++).url });
  const half = Math.floor(messages / 2);
  const rows: Row[] = [];
  const take = async (moment: string, expected: number) => {
    await eventually(
      async () => must((await complete(auditor)) >= expected, `every subscriber has ${expected} messages`),
      DEADLINE,
    );
    rows.push(await toRow(moment, auditor.report(), expected, subscribers, node(0).metricsUrl));
  };
  for (let i = 0; i < half; i++) await publisher.publish(CHANNEL);
  await take('Redis up', half);
  progress('stopping Redis ...');
  await cluster.redis?.process.stop('SIGTERM', 5_000);
  for (let i = half; i < messages; i++) await publisher.publish(CHANNEL);
  await take('Redis down', messages);
  progress('starting Redis ...');
  await cluster.redis?.restart();
  await eventually(async () => {
    for (const { metricsUrl } of cluster.nodes)
      must((await metric(metricsUrl, 'holdfast_backplane_up')) === 1, 'every node has its backplane');
  }, DEADLINE);
  await sleep(AFTERMATH_MS);
  await take('Redis back', messages);
  for (const client of clients) client.stop();
  return rows;
}

/** Number of acknowledged messages if every subscriber has all of them, else -1. */
async function complete(auditor: Auditor): Promise<number> {
  await auditor.follow();
  const { acknowledged } = auditor.report();
  return auditor.isComplete ? acknowledged : -1;
}

async function toRow(
  moment: string,
  report: AuditReport,
  expected: number,
  subscribers: number,
  metricsUrl: string,
): Promise<Row> {
  const { acknowledged, inOrder, lost, duplicated, reordered, altered, unstored, latencyMs } = report;
  const wrong = lost + duplicated + reordered + altered + unstored;
  return {
    moment,
    redis: (await metric(metricsUrl, 'holdfast_backplane_up')) === 1 ? 'up' : 'down',
    acknowledged,
    subscribers,
    delivered: inOrder,
    of: expected * subscribers,
    lost,
    duplicated,
    reordered,
    altered_or_unstored: altered + unstored,
    p50_ms: latencyMs.p50,
    p99_ms: latencyMs.p99,
    met: wrong === 0 && acknowledged === expected && inOrder === expected * subscribers,
  };
}

function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(`Not yet: ${what}.`);
}
