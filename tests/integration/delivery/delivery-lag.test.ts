/**
 * The delivery lag metric, from which the delivery objective is computed: after a pause of a node, every message that
 * waited counts as late, not only the last one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { metric, post } from '../../support/api.ts';
import { startTestCluster } from '../../support/cluster.ts';
import { RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';

describeWith('redis')('delivery lag', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startTestCluster({ nodes: 2 });
  });
  afterAll(() => cluster?.stop());

  test('every commit that waited for a paused node counts as late', async () => {
    const [awake, asleep] = [cluster.node(0), cluster.node(1)];
    const token = await cluster.token({ user: 'ada' });
    const client = await RawClient.open(asleep.wsUrl, token);
    await client.subscribe('room:lag');
    const lag = async (le: string) => metric(asleep.metricsUrl, 'holdfast_delivery_lag_seconds_bucket', { le });
    asleep.process.kill('SIGSTOP');
    try {
      for (let i = 0; i < 10; i++) await post(awake.url, token, { channel: 'room:lag', data: i });
      await sleep(400);
    } finally {
      asleep.process.kill('SIGCONT');
    }
    await client.next('message', (message) => message.data === 9);
    await client.subscribe('room:after');
    expect(await lag('0.25')).toBe(0);
    // More than one, even when Redis dropped some and the node read those from the history as one page.
    expect(await lag('+Inf')).toBeGreaterThan(1);
    client.close();
  });
});
