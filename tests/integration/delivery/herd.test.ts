/** When all nodes restart, clients are let in at a set pace and caught up with reads that grow with channels, not with clients. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { measureStorm } from '../../load/storm.ts';
import { metric } from '../../support/api.ts';
import { NO_RATE_LIMITS, startTestCluster } from '../../support/cluster.ts';
import { describeWith } from '../../support/requirements.ts';

const NODES = 2;
const ACCEPT_RATE = 100;
const PAGE_SIZE = 50;

describeWith('redis')('a herd', () => {
  let cluster: Cluster;
  let token: string;

  beforeAll(async () => {
    const env = {
      ...NO_RATE_LIMITS,
      MAX_CONNECTIONS_PER_USER: '100000',
      ACCEPT_RATE: String(ACCEPT_RATE),
      HISTORY_PAGE_SIZE: String(PAGE_SIZE),
      TAIL_WINDOW_MESSAGES: '16',
    };
    cluster = await startTestCluster({ nodes: NODES, env });
    token = await cluster.token({ user: 'ada' });
  });
  afterAll(() => cluster?.stop());

  const paced = async () => {
    const counts = cluster.nodes.map(({ metricsUrl }) =>
      metric(metricsUrl, 'holdfast_handshakes_total', { result: 'paced' }),
    );
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  };

  test('of four times the clients costs the same reads, is let in at the accept rate, and misses nothing', async () => {
    const storm = (clients: number, channels: number) =>
      measureStorm(cluster, token, { clients, channels, missed: 120 }, () => {});
    const few = await storm(150, 5);
    const many = await storm(600, 5);
    expect([few.lost_or_doubled, many.lost_or_doubled]).toEqual([0, 0]);
    // Each node reads each page of each channel once: 120 missed messages of an unaligned position touch four pages of 50.
    const pages = Math.ceil(120 / PAGE_SIZE) + 1;
    for (const row of [few, many]) expect(row.page_reads).toBeLessThanOrEqual(NODES * 5 * pages);
    // One statement for whoever opens a channel at the moment, and one more when the tail is behind the position.
    for (const row of [few, many]) expect(row.tops_reads).toBeLessThanOrEqual(NODES * 5 * 2);
    // Nobody is kept out for good, but not all come in at once.
    expect(await paced()).toBeGreaterThan(0);
    expect(many.refused_at_first).toBeGreaterThan(0);
    expect(many.caught_up_seconds).toBeGreaterThan((600 / NODES - 2 * ACCEPT_RATE) / ACCEPT_RATE);
    const wide = await storm(600, 50);
    expect(wide.page_reads).toBeGreaterThan(NODES * 5 * pages);
  }, 180_000);
});
