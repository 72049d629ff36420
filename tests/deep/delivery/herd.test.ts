/**
 * All nodes restart at once: their clients are admitted at the accept rate, and the Postgres reads for their recovery
 * grow with the number of channels, not with the number of clients.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { measureStorm } from '../../load/storm.ts';
import { metric } from '../../support/api.ts';
import { NO_RATE_LIMITS, startTestCluster } from '../../support/cluster.ts';
import { describeWith } from '../../support/requirements.ts';

const NODES = 2;
const ACCEPT_RATE = 100;
const PAGE_SIZE = 50;

describeWith('redis')('all clients of all nodes reconnect at once', () => {
  let cluster: Cluster;
  let token: string;

  beforeAll(async () => {
    const env = {
      ...NO_RATE_LIMITS,
      MAX_CONNECTIONS_PER_USER: '100000',
      ACCEPT_RATE: '100000',
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

  test('four times the clients cost the same reads, are admitted at the accept rate, and miss nothing', async () => {
    const storm = (clients: number, channels: number, restartEnv = {}) =>
      measureStorm(cluster, token, { clients, channels, missed: 120, restartEnv }, () => {});
    const few = await storm(150, 5);
    // The accept rate applies from the restart on, so that only the storm is paced, not its preparation.
    const many = await storm(600, 5, { ACCEPT_RATE: String(ACCEPT_RATE) });
    expect([few.lost_or_doubled, many.lost_or_doubled]).toEqual([0, 0]);
    // Each node reads each page of each channel once: 120 messages from an unaligned position touch 4 pages of 50.
    const pages = Math.ceil(120 / PAGE_SIZE) + 1;
    for (const row of [few, many]) expect(row.page_reads).toBeLessThanOrEqual(NODES * 5 * pages);
    // Per channel and node, one read of its top, and another when the tail is behind the position of a client.
    for (const row of [few, many]) expect(row.tops_reads).toBeLessThanOrEqual(NODES * 5 * 2);
    // Every client is admitted in the end, but not all of them at once.
    expect(await paced()).toBeGreaterThan(0);
    expect(many.refused_at_first).toBeGreaterThan(0);
    expect(many.caught_up_seconds).toBeGreaterThan((600 / NODES - 2 * ACCEPT_RATE) / ACCEPT_RATE);
    const wide = await storm(100, 50);
    expect(wide.page_reads).toBeGreaterThan(NODES * 5 * pages);
  }, 180_000);
});
