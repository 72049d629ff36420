/** A13, A16: what health says while dependencies come and go, and that publishing fails retryably and heals by itself. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Cluster } from '../../infra/local/cluster.ts';
import { post, readAll } from '../support/api.ts';
import { startTestCluster } from '../support/cluster.ts';
import { RawClient } from '../support/raw-client.ts';
import { describeWith } from '../support/requirements.ts';
import { eventually } from '../support/wait.ts';

describeWith('redis')('health and lost dependencies', () => {
  let cluster: Cluster;
  let token: string;

  beforeAll(async () => {
    const env = { PG_CONNECT_TIMEOUT_MS: '1000', PG_STATEMENT_TIMEOUT_MS: '1500', LOG_LEVEL: 'fatal' };
    cluster = await startTestCluster({ nodes: 2, ownPostgres: true, env });
    token = await cluster.token({ user: 'ada' });
  });
  afterAll(() => cluster?.stop());

  const node = (index: number) => cluster.nodes[index] as Cluster['nodes'][number];

  async function health(): Promise<unknown[]> {
    const [alive, ready] = await Promise.all([fetch(`${node(0).url}/healthz`), fetch(`${node(0).url}/readyz`)]);
    const { status, node_id: id, timestamp } = (await alive.json()) as Record<string, string>;
    expect([status, id]).toEqual(['ok', 'node-1']);
    expect(Math.abs(Date.parse(timestamp as string) - Date.now())).toBeLessThan(5_000);
    const { dependencies } = (await ready.json()) as { dependencies: { postgres: string; redis: string } };
    return [alive.status, ready.status, dependencies.postgres, dependencies.redis];
  }

  test('all is well', async () => {
    expect(await health()).toEqual([200, 200, 'ok', 'ok']);
  });

  test('Redis away is told, and fails no node', async () => {
    await cluster.redis?.process.stop('SIGTERM', 5_000);
    await eventually(async () => expect(await health()).toEqual([200, 200, 'ok', 'unreachable']));
    await cluster.redis?.restart();
    await eventually(async () => expect(await health()).toEqual([200, 200, 'ok', 'ok']));
  });

  for (const [what, away, back] of [
    ['killed', () => cluster.postgres?.process.kill('SIGKILL'), () => cluster.postgres?.restart()],
    ['frozen', () => cluster.postgres?.process.kill('SIGSTOP'), () => cluster.postgres?.process.kill('SIGCONT')],
  ] as const) {
    test(`with Postgres ${what}, publishes fail soon and retryably, connections stay, and all goes on by itself`, async () => {
      const channel = `room:${what}`;
      const clients = await Promise.all([0, 1].map((index) => RawClient.open(node(index).wsUrl, token)));
      for (const client of clients) await client.subscribe(channel);
      const acked = new Map<number, unknown>();
      const publish = async (data: unknown) => {
        const answer = await post(node(0).url, token, { channel, data, client_msg_id: `k-${String(data)}` });
        if (answer.status === 200) acked.set(answer.offset, data);
        return answer;
      };
      await publish('before');
      await away();
      const begin = performance.now();
      const failed = await publish('during');
      expect(failed).toMatchObject({ status: 503, retryAfter: '1', error: { code: 'unavailable' } });
      expect(performance.now() - begin).toBeLessThan(6_000);
      clients[0]?.send({ type: 'publish', id: 'ws', channel, data: 'ws' });
      expect(await clients[0]?.next('error')).toMatchObject({ id: 'ws', code: 'unavailable', retry_after_ms: 1_000 });
      expect(await health()).toEqual([200, 200, 'unreachable', 'ok']);
      for (const client of clients) expect(client.closed).toBeUndefined();
      await back();
      await eventually(async () => expect((await publish('during')).status).toBe(200), {
        timeoutMs: 20_000,
        intervalMs: 200,
      });
      await publish('after');
      const history = await readAll(node(1).url, token, channel);
      for (const [offset, data] of acked) expect(history[offset - 1]?.data).toBe(data);
      expect(history.filter((message) => message.data === 'during')).toHaveLength(1);
      for (const client of clients) {
        await eventually(() =>
          expect(client.messages().map((message) => message.data)).toEqual(history.map((message) => message.data)),
        );
        client.close();
      }
      await eventually(async () => expect(await health()).toEqual([200, 200, 'ok', 'ok']));
    }, 60_000);
  }
});
