/**
 * Faults of Postgres under load: publishes fail at once with an error that allows a retry, connections stay open, and
 * every acknowledged message is stored exactly once. What /healthz and /readyz answer meanwhile is in
 * `../http/health.test.ts`.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { Auditor } from '../../../server/audit/auditor.ts';
import { httpHistory } from '../../../server/audit/http-history.ts';
import { metric, type Posted, post } from '../../support/api.ts';
import { AuditedClient } from '../../support/audited-client.ts';
import { AuditedPublisher } from '../../support/audited-publisher.ts';
import { NO_RATE_LIMITS } from '../../support/cluster.ts';
import { type FaultyCluster, startFaultyCluster } from '../../support/faults/faulty-cluster.ts';
import { RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually, sleep } from '../../support/wait.ts';

const ENV = { ...NO_RATE_LIMITS, PG_STATEMENT_TIMEOUT_MS: '2000', PG_CONNECT_TIMEOUT_MS: '2000', LOG_LEVEL: 'error' };
/** More than two nodes need, so that the test can take the rest. */
const MAX_CONNECTIONS = '40';

describeWith('redis')('Postgres fails', () => {
  let faulty: FaultyCluster;
  let token: string;
  let auditor: Auditor;
  let clients: AuditedClient[];
  let publishers: AuditedPublisher[];
  let channel: string;
  let turn = 0;

  beforeAll(async () => {
    faulty = await startFaultyCluster({
      nodes: 2,
      env: ENV,
      ownPostgres: true,
      postgresSettings: { max_connections: MAX_CONNECTIONS },
    });
    token = await faulty.cluster.token({ user: 'ada' });
  }, 60_000);
  afterAll(() => faulty?.stop());

  beforeEach(async () => {
    channel = `room:${++turn}`;
    auditor = new Auditor({ history: httpHistory({ url: faulty.node(1).url, token }) });
    const wsUrl = (node: number) => () => faulty.node(node).wsUrl;
    clients = [0, 1].map(
      (node) => new AuditedClient({ auditor, token, name: `c${node}`, channels: [channel], wsUrl: wsUrl(node) }),
    );
    publishers = [0, 1, 2, 3].map(
      (node) => new AuditedPublisher({ auditor, token, name: `p${node}`, url: () => faulty.node(node).url }),
    );
    await eventually(() => expect(clients.every((client) => client.isReady)).toBe(true));
  });
  afterEach(() => {
    for (const client of clients) client.stop();
  });

  const failures = () => publishers.reduce((sum, publisher) => sum + publisher.failures, 0);
  const acknowledged = () => publishers.reduce((sum, publisher) => sum + publisher.acknowledged, 0);

  /** All publishers publish while `fault` happens; then each publishes `more` messages. */
  async function underLoad(fault: () => Promise<void>, more = 10): Promise<void> {
    const stop = new AbortController();
    const broken = new AbortController();
    const loops = publishers.map(async (publisher) => {
      while (!stop.signal.aborted) await publisher.publish(channel, { signal: broken.signal });
    });
    try {
      await fault();
    } catch (error) {
      broken.abort();
      throw error;
    } finally {
      stop.abort();
      await Promise.all(loops);
    }
    for (const publisher of publishers) for (let i = 0; i < more; i++) await publisher.publish(channel);
  }

  async function expectNothingLost(): Promise<void> {
    await eventually(async () => {
      await auditor.follow();
      expect(auditor.isComplete).toBe(true);
    });
    const report = await auditor.close();
    expect(report).toMatchObject({
      ...{ acknowledged: acknowledged(), inOrder: acknowledged() * clients.length, findings: [] },
      ...{ lost: 0, duplicated: 0, reordered: 0, altered: 0, unstored: 0, declaredLost: 0 },
    });
    // Each message is stored once, although publishers have retried what failed.
    const { top } = (await (await fetchHistory()).json()) as { top: number };
    expect(top).toBe(acknowledged());
    expect(clients.map((client) => client.reconnects)).toEqual([0, 0]);
  }

  const fetchHistory = () =>
    fetch(`${faulty.node(0).url}/v1/conversations.history?channel=${channel}`, {
      headers: { authorization: `Bearer ${token}` },
    });

  /** Publishes until a publish is refused; resolves to that answer and the time that it took. */
  async function refusedPublish(): Promise<{ answer: Posted; ms: number }> {
    return eventually(async () => {
      const begin = performance.now();
      const answer = await post(faulty.node(0).url, token, { channel: 'room:refused', data: 1 });
      if (answer.ok) throw new Error('Publishes are still accepted.');
      return { answer, ms: performance.now() - begin };
    });
  }

  async function query<T extends pg.QueryResultRow>(sql: string): Promise<T[]> {
    const client = new pg.Client({ connectionString: faulty.directDatabaseUrl });
    await client.connect();
    try {
      return (await client.query<T>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  test('a Postgres that is stopped and started again under load loses nothing; publishes fail at once meanwhile', async () => {
    await underLoad(async () => {
      await sleep(300);
      await faulty.postgres.process.stop('SIGINT', 10_000);
      const { answer, ms } = await refusedPublish();
      expect(answer).toMatchObject({ status: 503, error: { code: 'unavailable', retry_after_ms: 1_000 } });
      expect(answer.retryAfter).toBe('1');
      // Far below the timeouts of connections and statements, which are 2 s.
      expect(ms).toBeLessThan(1_500);
      expect((await fetch(`${faulty.node(0).url}/healthz`)).status).toBe(200);
      const ready = await fetch(`${faulty.node(0).url}/readyz`);
      expect(ready.status).toBe(200);
      expect(await ready.json()).toMatchObject({ ready: true, dependencies: { postgres: 'unreachable' } });
      expect(await metric(faulty.node(0).metricsUrl, 'holdfast_history_up')).toBe(0);
      await faulty.postgres.restart();
    });
    expect(failures()).toBeGreaterThan(0);
    await expectNothingLost();
    expect(await metric(faulty.node(0).metricsUrl, 'holdfast_history_up')).toBe(1);
  }, 60_000);

  test('a Postgres that is killed twice under load loses no acknowledged message', async () => {
    await underLoad(async () => {
      for (let round = 0; round < 2; round++) {
        await sleep(300 + round * 171);
        await faulty.postgres.process.kill('SIGKILL');
        await refusedPublish();
        await faulty.postgres.restart();
        await eventually(async () =>
          expect((await post(faulty.node(0).url, token, { channel: 'x', data: 1 })).ok).toBe(true),
        );
      }
    });
    await expectNothingLost();
  }, 90_000);

  test('while Postgres is paused, publishes fail at once after the first statement timeout; later nothing is stored twice', async () => {
    await underLoad(async () => {
      await sleep(200);
      await faulty.postgres.process.kill('SIGSTOP');
      await refusedPublish();
      const times: number[] = [];
      for (let i = 0; i < 10; i++) times.push((await refusedPublish()).ms);
      expect(times.sort((a, b) => a - b)[5]).toBeLessThan(1_000);
      await faulty.postgres.process.kill('SIGCONT');
    });
    await expectNothingLost();
  }, 60_000);

  test('when others have taken all connections of Postgres, a node works on with the connections that it has', async () => {
    const hogs: pg.Client[] = [];
    try {
      await expect(async () => {
        for (let i = 0; i < Number(MAX_CONNECTIONS) + 5; i++) {
          const hog = new pg.Client({ connectionString: faulty.directDatabaseUrl });
          hog.on('error', () => {});
          await hog.connect();
          hogs.push(hog);
        }
      }).rejects.toMatchObject({ code: '53300' });
      await underLoad(() => sleep(500));
      expect(failures()).toBe(0);
    } finally {
      await Promise.all(hogs.map((hog) => hog.end()));
    }
    await expectNothingLost();
  }, 60_000);

  test('slow commits make publishes slow, and none fails', async () => {
    faulty.postgresLink.delay(250);
    await underLoad(() => sleep(2_500), 1);
    faulty.postgresLink.heal();
    expect(failures()).toBe(0);
    expect(acknowledged()).toBeGreaterThan(8);
    await expectNothingLost();
  }, 60_000);

  test('a flood of reads does not delay a publish', async () => {
    await publishers[0]?.publish(channel);
    faulty.postgresLink.delay(150);
    let reading = 0;
    const reads = Array.from({ length: 100 }, async () => {
      reading++;
      await (await fetchHistory()).text();
      reading--;
    });
    await sleep(100);
    await publishers[0]?.publish(channel);
    // The publish was acknowledged before most of the reads.
    expect(reading).toBeGreaterThan(50);
    faulty.postgresLink.heal();
    await Promise.all(reads);
    expect(failures()).toBe(0);
    await expectNothingLost();
  }, 60_000);

  test('a commit that waits for a lost standby is not acknowledged, and its retry does not store the message again', async () => {
    const standby = async (name: string) => {
      await query(`ALTER SYSTEM SET synchronous_standby_names = '${name}'`);
      await query('SELECT pg_reload_conf()');
    };
    await underLoad(async () => {
      await standby('gone');
      try {
        await refusedPublish();
        const before = acknowledged();
        await sleep(1_000);
        expect(acknowledged()).toBe(before);
      } finally {
        await standby('');
      }
    });
    expect(failures()).toBeGreaterThan(0);
    expect(publishers.reduce((sum, publisher) => sum + publisher.duplicates, 0)).toBeGreaterThan(0);
    await expectNothingLost();
  }, 60_000);

  test('a publish whose answer is lost fails, and its retry returns the offset of the stored message', async () => {
    const client = await RawClient.open(faulty.node(0).wsUrl, token);
    const publish = { type: 'publish', channel, data: 'once', client_msg_id: 'the-same' };
    // The statement reaches Postgres and is committed; its answer does not reach the node.
    faulty.postgresLink.blackhole('down');
    client.send({ ...publish, id: 'first' });
    await eventually(async () => {
      const rows = await query<{ top: string }>(`SELECT top FROM channels WHERE name = '${channel}'`);
      expect(rows).toEqual([{ top: '1' }]);
    });
    expect(client.pushes.some((push) => push.type === 'ack')).toBe(false);
    faulty.postgresLink.cut();
    const error = await client.next('error', (push) => push.id === 'first');
    expect(error).toMatchObject({ code: 'unavailable', retry_after_ms: 1_000 });
    faulty.postgresLink.heal();
    const ack = await eventually(async () => {
      const id = `retry-${client.pushes.length}`;
      client.send({ ...publish, id });
      await client.next('ack', (push) => push.id === id, 500);
      return client.next('ack', (push) => push.id === id);
    });
    expect(ack).toMatchObject({ offset: 1, duplicate: true });
    client.close();
    auditor.acknowledged(channel, { epoch: ack.epoch, offset: 1 }, 'once');
    // The node did not learn of its commit, so it announced nothing. The history poll delivers the message.
    await eventually(async () => {
      await auditor.follow();
      expect(auditor.isComplete).toBe(true);
    });
    expect(await auditor.close()).toMatchObject({ inOrder: 2, lost: 0, duplicated: 0, unstored: 0 });
  }, 60_000);

  test('connections that are cut at varying moments, before or after a commit, lose nothing', async () => {
    await underLoad(async () => {
      for (let round = 0; round < 12; round++) {
        await sleep(60 + round * 13);
        if (round % 3 > 0) faulty.postgresLink.blackhole(round % 3 === 1 ? 'down' : 'up');
        await sleep(30);
        faulty.postgresLink.cut();
        faulty.postgresLink.heal();
      }
    });
    expect(failures()).toBeGreaterThan(0);
    await expectNothingLost();
  }, 90_000);
});
