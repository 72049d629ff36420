/** All nodes are restarted in turn under load: no message is lost, and clients reconnect at the drain rate. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Auditor } from '../../../server/audit/auditor.ts';
import { httpHistory } from '../../../server/audit/http-history.ts';
import { metric } from '../../support/api.ts';
import { AuditedClient } from '../../support/audited-client.ts';
import { AuditedPublisher } from '../../support/audited-publisher.ts';
import { NO_RATE_LIMITS } from '../../support/cluster.ts';
import { type FaultyCluster, startFaultyCluster } from '../../support/faults/faulty-cluster.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually } from '../../support/wait.ts';

const DRAIN_RATE = 20;
const CLIENTS = 60;

describeWith('redis', 'nginx')('a rolling restart', () => {
  let faulty: FaultyCluster;
  let token: string;

  beforeAll(async () => {
    const env = {
      ...NO_RATE_LIMITS,
      DRAIN_RATE: String(DRAIN_RATE),
      LOG_LEVEL: 'info',
      MAX_CONNECTIONS_PER_USER: '1000',
    };
    faulty = await startFaultyCluster({ nodes: 3, nginx: true, env });
    token = await faulty.cluster.token({ user: 'ada' });
  });
  afterAll(() => faulty?.stop());

  const connections = (index: number) => metric(faulty.node(index).metricsUrl, 'holdfast_connections');

  test('of every node under load loses no message, moves clients at DRAIN_RATE, and logs its progress', async () => {
    const { url, wsUrl } = faulty.cluster;
    const auditor = new Auditor({ history: httpHistory({ url, token }) });
    const channels = ['room:1', 'room:2'];
    const clients = Array.from(
      { length: CLIENTS },
      (_, i) => new AuditedClient({ auditor, token, name: `c${i}`, channels, wsUrl: () => wsUrl }),
    );
    await eventually(() => expect(clients.every((client) => client.isReady)).toBe(true));
    const publishers = [0, 1, 2].map((i) => new AuditedPublisher({ auditor, token, name: `p${i}`, url: () => url }));
    let running = true;
    const load = publishers.map(async (publisher, i) => {
      while (running) await publisher.publish(channels[i % 2] as string);
    });
    const reconnects = () => clients.reduce((sum, client) => sum + client.reconnects, 0);
    try {
      for (let index = 0; index < 3; index++) {
        const node = faulty.node(index);
        const moved = await connections(index);
        const before = reconnects();
        const begin = performance.now();
        await node.stop();
        const seconds = (performance.now() - begin) / 1000;
        expect(moved).toBeGreaterThan(0);
        // The least time at this rate. The first connection leaves at once, therefore minus one.
        expect(seconds).toBeGreaterThan((moved - 1) / DRAIN_RATE);
        const lines = node.process
          .output()
          .split('\n')
          .filter((line) => line.includes('"msg":"Drain."'));
        const [first, last] = [lines[0], lines.at(-1)].map(
          (line) => JSON.parse(line ?? '{}') as Record<string, number>,
        );
        expect(first).toMatchObject({ connections: moved, remaining: moved });
        expect(last).toMatchObject({ connections: moved, remaining: 0 });
        await eventually(() => expect(clients.every((client) => client.isReady)).toBe(true));
        // Each client moved once, so none was sent to a node that was draining.
        expect(reconnects() - before).toBe(moved);
        await node.restart();
      }
    } finally {
      running = false;
      await Promise.all(load);
    }
    await eventually(async () => {
      await auditor.follow();
      expect(auditor.isComplete).toBe(true);
    });
    const report = await auditor.close();
    expect(report).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, altered: 0, unstored: 0, declaredLost: 0 });
    expect(report.inOrder).toBe(report.acknowledged * CLIENTS);
    expect(clients.flatMap((client) => client.closeCodes).filter((code) => code !== 1012 && code !== 1006)).toEqual([]);
    for (const client of clients) client.stop();
  }, 180_000);
});
