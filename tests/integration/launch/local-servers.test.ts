/** The servers that `npm start` and the tests run on: PostgreSQL, the databases of tests, and the nginx balancer. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { WebSocket } from 'ws';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { PostgresServer } from '../../../infra/local/servers/postgres.ts';
import { startTestCluster } from '../../support/cluster.ts';
import { createDatabase } from '../../support/database.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually } from '../../support/wait.ts';

async function query(url: string, sql: string, timeoutMs = 5_000): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    void client.end().catch(() => undefined);
  }
}

describe('the local PostgreSQL', () => {
  const logs = temporaryDirectory('test-logs');
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await PostgresServer.start({ logFile: join(logs, 'postgres.log') });
  });
  afterAll(async () => {
    await postgres.stop();
    removeTemporary(logs);
  });

  test('runs with fsync on, because acknowledged means committed', async () => {
    expect(await query(postgres.url, 'SHOW fsync')).toEqual([{ fsync: 'on' }]);
    expect(await query(postgres.url, 'SHOW server_encoding')).toEqual([{ server_encoding: 'UTF8' }]);
  });

  test('keeps committed rows when it is killed and restarted', async () => {
    await query(postgres.url, 'CREATE TABLE kept AS SELECT 1 AS n');
    postgres.process.kill('SIGKILL');
    await postgres.process.exited;
    await expect(query(postgres.url, 'SELECT 1')).rejects.toThrow();
    await postgres.restart();
    expect(await query(postgres.url, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
  });

  test('answers no query while it is paused, not even on open connections', async () => {
    const client = new pg.Client({ connectionString: postgres.url, query_timeout: 300 });
    await client.connect();
    postgres.process.kill('SIGSTOP');
    await expect(client.query('SELECT 1')).rejects.toThrow('timeout');
    postgres.process.kill('SIGCONT');
    await eventually(async () => expect(await query(postgres.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }]));
    await client.end();
  });
});

describe('databases for tests', () => {
  test('are separate, and are removed by drop', async () => {
    const [one, two] = await Promise.all([createDatabase(), createDatabase()]);
    await query(one.url, 'CREATE TABLE mine ()');
    await expect(query(two.url, 'SELECT * FROM mine')).rejects.toThrow('does not exist');
    await Promise.all([one.drop(), two.drop()]);
    await expect(query(one.url, 'SELECT 1')).rejects.toThrow('does not exist');
  });
});

describeWith('redis', 'nginx')('the balancer', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startTestCluster({ nginx: true });
  });
  afterAll(() => cluster.stop());

  /** Name of the node that a new connection reaches. */
  async function nodeOf(query: string, cookie?: string): Promise<string> {
    // Made before the socket, so that the listener for `open` is in place before it opens.
    const token = await cluster.token({ user: 'ada' });
    const socket = new WebSocket(
      `${cluster.wsUrl}${query}`,
      'holdfast.v1',
      cookie === undefined ? {} : { headers: { cookie } },
    );
    socket.once('open', () => socket.send(JSON.stringify({ type: 'auth', token })));
    const welcome = await new Promise<{ node_id: string }>((resolve, reject) => {
      // A ping may arrive before the welcome.
      socket.on('message', (data) => {
        const push = JSON.parse(String(data));
        if (push.type === 'welcome') resolve(push);
      });
      socket.once('error', reject);
      socket.once('close', (code) => reject(new Error(`The connection was closed with ${code}.`)));
    });
    socket.terminate();
    return welcome.node_id;
  }

  const several = (query: (index: number) => string, cookie?: string) =>
    Promise.all(Array.from({ length: 12 }, (_, index) => nodeOf(query(index), cookie)));

  test('sends connections with the same affinity to the same node, by query or by cookie', async () => {
    expect(new Set(await several(() => '?affinity=one')).size).toBe(1);
    expect(new Set(await several(() => '', 'holdfast_affinity=two')).size).toBe(1);
  });

  test('spreads connections without an affinity, or with different ones, over both nodes', async () => {
    expect(new Set(await several(() => '')).size).toBe(2);
    expect(new Set(await several((index) => `?affinity=${index}`)).size).toBe(2);
  });

  test('sends all connections to the remaining node when the other is killed, and to both when it is back', async () => {
    const [gone, left] = [cluster.node(0), cluster.node(1)];
    gone.process.kill('SIGKILL');
    await gone.process.exited;
    expect(new Set(await several((index) => `?affinity=${index}`))).toEqual(new Set([left.name]));
    const statuses = await Promise.all(
      Array.from({ length: 20 }, async () => (await fetch(`${cluster.url}/healthz`)).status),
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
    await gone.restart();
    await eventually(async () => expect(new Set(await several((index) => `?affinity=${index}`)).size).toBe(2));
  });
});
