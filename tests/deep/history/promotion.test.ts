/** An asynchronous standby is promoted although the primary had more: the messages that are lost are reported, the others kept. */
import { execFile } from 'node:child_process';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';
import { giveTo, unprivilegedUser } from '../../../infra/host/unprivileged.ts';
import { PostgresServer } from '../../../infra/local/servers/postgres.ts';
import { post } from '../../support/api.ts';
import { NO_RATE_LIMITS } from '../../support/cluster.ts';
import { type FaultyCluster, startFaultyCluster } from '../../support/faults/faulty-cluster.ts';
import { TcpProxy } from '../../support/faults/tcp-proxy.ts';
import { expectOneHistory, heldMessages } from '../../support/held-messages.ts';
import { RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually } from '../../support/wait.ts';

describeWith('redis')('a standby that lacks the last commits', () => {
  let faulty: FaultyCluster;
  let standby: PostgresServer;
  /** The proxy between the standby and the primary. */
  let replication: TcpProxy;
  let directory: string;
  let token: string;

  beforeAll(async () => {
    faulty = await startFaultyCluster({ nodes: 2, env: { ...NO_RATE_LIMITS }, ownPostgres: true });
    token = await faulty.cluster.token({ user: 'ada' });
    directory = temporaryDirectory('standby');
    const { postgres } = faulty;
    replication = await TcpProxy.start(postgres.port);
    // The standby begins as a copy of the stopped primary.
    await postgres.process.stop('SIGINT', 15_000);
    const data = join(directory, 'data');
    giveTo(unprivilegedUser(), directory);
    await promisify(execFile)('cp', ['-a', postgres.dataDirectory, data]);
    const signal = join(data, 'standby.signal');
    await appendFile(signal, '');
    giveTo(unprivilegedUser(), signal);
    await postgres.restart();
    standby = await PostgresServer.start({
      dataDirectory: data,
      logFile: join(directory, 'standby.log'),
      settings: { primary_conninfo: conninfo(replication.through(postgres.url)) },
    });
  }, 90_000);
  afterAll(async () => {
    await standby?.stop();
    await replication?.stop();
    await faulty?.stop();
    if (directory) removeTemporary(directory);
  });

  test('is promoted: every client is told what it lost, and keeps what was replicated', async () => {
    const channel = 'room:promoted';
    const publish = (node: number, data: string) =>
      eventually(async () => {
        const answer = await post(faulty.node(node).url, token, { channel, data, client_msg_id: data });
        expect(answer.ok).toBe(true);
        return answer;
      });
    const live = await Promise.all([0, 1, 0, 1].map((node) => RawClient.open(faulty.node(node).wsUrl, token)));
    await Promise.all(live.map((client) => client.subscribe(channel)));
    for (let i = 0; i < 10; i++) await publish(i, `kept-${i}`);
    const { epoch } = await publish(0, 'kept');
    await eventually(async () => expect(await topIn(standby.url, channel)).toBe(11));

    replication.blackhole();
    for (let i = 0; i < 5; i++) await publish(i, `lost-${i}`);
    await eventually(() => {
      for (const client of live) expect(client.offsets(channel).at(-1)).toBe(16);
    });
    await faulty.postgres.process.kill('SIGKILL');
    const next = Promise.all(Array.from({ length: 8 }, (_, i) => publish(i, `next-${i}`)));
    await query(standby.url, 'SELECT pg_promote()');
    faulty.postgresLink.retarget(standby.port);
    await next;

    await eventually(async () => {
      for (const client of live) {
        await expectOneHistory(client, channel, faulty.node(0).url, token);
        expect(heldMessages(client, channel).offset).toBe(19);
      }
    });
    for (const [offset, recovered] of [
      [11, true],
      [12, false],
      [16, false],
    ] as const) {
      const client = await RawClient.open(faulty.node(1).wsUrl, token);
      expect(await client.subscribe(channel, { epoch, offset })).toMatchObject({ recovered });
      client.close();
    }
    for (const client of live) client.close();
  }, 120_000);
});

async function query(url: string, sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql, values)).rows;
  } finally {
    await client.end();
  }
}

async function topIn(url: string, channel: string): Promise<number> {
  const rows = await query(url, 'SELECT top FROM channels WHERE name = $1', [channel]);
  return Number(rows[0]?.top);
}

function conninfo(url: string): string {
  const { hostname, port, username, password } = new URL(url);
  return `host=${hostname} port=${port} user=${username} password=${password}`;
}
