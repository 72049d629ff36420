/** The health routes while Redis and Postgres fail and return. Publishes then get temporary errors, and work again afterwards. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import type { HoldfastNode } from '../../../infra/local/servers/node.ts';
import { post, readAll } from '../../support/api.ts';
import { startTestCluster } from '../../support/cluster.ts';
import { RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually, sleep } from '../../support/wait.ts';

describeWith('redis')('health and lost dependencies', () => {
  let cluster: Cluster;
  let token: string;

  beforeAll(async () => {
    const env = { PG_CONNECT_TIMEOUT_MS: '1000', PG_STATEMENT_TIMEOUT_MS: '1500', LOG_LEVEL: 'fatal' };
    cluster = await startTestCluster({ nodes: 2, ownPostgres: true, env });
    token = await cluster.token({ user: 'ada' });
  });
  afterAll(() => cluster?.stop());

  const node = (index: number) => cluster.node(index);

  /** The health of a node: status of /healthz, status of /readyz, Postgres, Redis. */
  async function healthOf({ name, url }: HoldfastNode): Promise<unknown[]> {
    const [alive, ready] = await Promise.all([fetch(`${url}/healthz`), fetch(`${url}/readyz`)]);
    const { status, node_id: id, timestamp } = (await alive.json()) as Record<string, string>;
    expect([status, id]).toEqual(['ok', name]);
    expect(Math.abs(Date.parse(timestamp as string) - Date.now())).toBeLessThan(5_000);
    const body = (await ready.json()) as { ready: boolean; dependencies: { postgres: string; redis: string } };
    expect(body).toMatchObject({ ready: ready.status === 200, node_id: name, draining: false, full: false });
    return [alive.status, ready.status, body.dependencies.postgres, body.dependencies.redis];
  }

  /** The health of both nodes, which must be equal. */
  async function health(): Promise<unknown[]> {
    const [first, second] = await Promise.all([healthOf(node(0)), healthOf(node(1))]);
    expect(second).toEqual(first);
    return first;
  }

  /** Publishers on both nodes. Each retries a message until it is acknowledged, then sends the next. */
  function publishSteadily(channel: string): { end(): Promise<Map<number, string>> } {
    const acked = new Map<number, string>();
    const statuses = new Set<number>();
    let running = true;
    const publish = async (index: number, data: string) => {
      const answer = await post(node(index % 2).url, token, { channel, data, client_msg_id: data });
      statuses.add(answer.status);
      if (answer.status !== 200) throw new Error(`answered ${answer.status}`);
      acked.set(answer.offset, data);
    };
    const publisher = async (index: number) => {
      for (let count = 0; running; count++)
        await eventually(() => publish(index, `steady-${index}-${count}`), { intervalMs: 100 });
    };
    const publishers = Promise.all([0, 1, 2, 3, 4, 5].map(publisher));
    return {
      async end() {
        running = false;
        await publishers;
        expect([...statuses].sort()).toEqual([200, 503]);
        return acked;
      },
    };
  }

  test('healthy nodes report every dependency as ok', async () => {
    expect(await health()).toEqual([200, 200, 'ok', 'ok']);
  });

  test('an unreachable Redis is reported, and fails no node and no publish', async () => {
    await cluster.redis?.process.stop('SIGTERM', 5_000);
    await eventually(async () => expect(await health()).toEqual([200, 200, 'ok', 'unreachable']));
    expect((await post(node(0).url, token, { channel: 'room:alone', text: 'x' })).status).toBe(200);
    await cluster.redis?.restart();
    await eventually(async () => expect(await health()).toEqual([200, 200, 'ok', 'ok']));
  });

  for (const [what, away, back] of [
    ['killed', () => cluster.postgres?.process.kill('SIGKILL'), () => cluster.postgres?.restart()],
    ['frozen', () => cluster.postgres?.process.kill('SIGSTOP'), () => cluster.postgres?.process.kill('SIGCONT')],
  ] as const) {
    test(`with Postgres ${what}, publishes soon get temporary errors, connections stay, and service returns without intervention`, async () => {
      const channel = `room:${what}`;
      const clients = await Promise.all([0, 1].map((index) => RawClient.open(node(index).wsUrl, token)));
      for (const client of clients) await client.subscribe(channel);
      const acked = new Map<number, string>();
      const publish = async (data: string) => {
        const answer = await post(node(0).url, token, { channel, data, client_msg_id: `k-${data}` });
        if (answer.status === 200) acked.set(answer.offset, data);
        return answer;
      };
      await publish('before');
      const steady = publishSteadily(channel);
      await sleep(200);
      await away();
      const begin = performance.now();
      const failed = await publish('during');
      expect(failed).toMatchObject({ status: 503, retryAfter: '1', error: { code: 'unavailable' } });
      expect(performance.now() - begin).toBeLessThan(6_000);
      clients[0]?.send({ type: 'publish', id: 'ws', channel, data: 'ws' });
      expect(await clients[0]?.next('error')).toMatchObject({ id: 'ws', code: 'unavailable', retry_after_ms: 1_000 });
      await eventually(async () => expect(await health()).toEqual([200, 200, 'unreachable', 'ok']));
      for (const client of clients) expect(client.closed).toBeUndefined();
      await back();
      await eventually(async () => expect((await publish('during')).status).toBe(200), {
        timeoutMs: 20_000,
        intervalMs: 200,
      });
      for (const [offset, data] of await steady.end()) acked.set(offset, data);
      await publish('after');
      expect(acked.size).toBeGreaterThan(20);
      const history = await readAll(node(1).url, token, channel);
      for (const [offset, data] of acked) expect(history[offset - 1]?.data).toBe(data);
      // A retried message with a key is stored once, although the outcome of its first commit was unknown.
      const keyed = history.map((message) => message.data).filter((data) => data !== 'ws');
      expect(keyed).toHaveLength(new Set(keyed).size);
      expect(keyed).toHaveLength(acked.size);
      for (const client of clients) {
        await eventually(() =>
          expect(client.messages().map((message) => message.data)).toEqual(history.map((message) => message.data)),
        );
        client.close();
      }
      await eventually(async () => expect(await health()).toEqual([200, 200, 'ok', 'ok']));
    }, 60_000);
  }

  test('without Redis and Postgres the nodes stay alive, keep their connections, and recover without intervention', async () => {
    const client = await RawClient.open(node(1).wsUrl, token);
    await client.subscribe('room:both');
    await cluster.redis?.process.stop('SIGTERM', 5_000);
    cluster.postgres?.process.kill('SIGKILL');
    expect((await post(node(0).url, token, { channel: 'room:both', data: 1 })).status).toBe(503);
    await eventually(async () => expect(await health()).toEqual([200, 200, 'unreachable', 'unreachable']));
    await cluster.postgres?.restart();
    await eventually(async () => {
      const answer = await post(node(0).url, token, { channel: 'room:both', data: 2, client_msg_id: 'both' });
      expect(answer.status).toBe(200);
    });
    await client.next('message', (message) => message.data === 2);
    await cluster.redis?.restart();
    await eventually(async () => expect(await health()).toEqual([200, 200, 'ok', 'ok']));
    expect(client.closed).toBeUndefined();
    client.close();
  });

  test('a full node is alive and not ready', async () => {
    await node(1).restart({ MAX_CONNECTIONS: '1' });
    const client = await RawClient.open(node(1).wsUrl, token);
    const [alive, ready, other] = await Promise.all(
      [`${node(1).url}/healthz`, `${node(1).url}/readyz`, `${node(0).url}/readyz`].map((url) => fetch(url)),
    );
    expect([alive?.status, ready?.status, other?.status]).toEqual([200, 503, 200]);
    expect(await ready?.json()).toMatchObject({ ready: false, full: true, draining: false, connections: 1 });
    client.close();
    await eventually(async () => expect(await healthOf(node(1))).toEqual([200, 200, 'ok', 'ok']));
  });
});
