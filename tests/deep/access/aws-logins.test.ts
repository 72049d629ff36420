/**
 * A node whose database has a certificate of a private authority and a rotating password, as on RDS: a real PostgreSQL
 * with TLS, a fake Secrets Manager, rotations under load.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';
import { giveTo, unprivilegedUser } from '../../../infra/host/unprivileged.ts';
import { type Cluster, startCluster } from '../../../infra/local/servers/cluster.ts';
import { PostgresServer } from '../../../infra/local/servers/postgres.ts';
import { loadCertificates } from '../../../server/history/certificates.ts';
import { createPool } from '../../../server/history/pool.ts';
import { FakeAws } from '../../support/fake-aws/fake-aws.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually } from '../../support/wait.ts';

/** Creates two authorities, and a server certificate for `localhost` that the first has signed. */
function certificates(directory: string) {
  const file = (name: string) => join(directory, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const subject = (name: string) => ['-subj', `/CN=${name}`];
  for (const name of ['ca', 'other']) {
    const extensions = ['-addext', 'basicConstraints=critical,CA:TRUE'];
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      file(`${name}.key`),
      '-out',
      file(`${name}.pem`),
      ...subject(name),
      ...extensions,
    );
  }
  openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    file('server.key'),
    '-out',
    file('server.csr'),
    ...subject('localhost'),
  );
  writeFileSync(file('names'), 'subjectAltName=DNS:localhost\n');
  openssl(
    'x509',
    '-req',
    '-days',
    '2',
    '-in',
    file('server.csr'),
    '-CA',
    file('ca.pem'),
    '-CAkey',
    file('ca.key'),
    '-CAcreateserial',
    '-extfile',
    file('names'),
    '-out',
    file('server.pem'),
  );
  return { ca: file('ca.pem'), other: file('other.pem'), certificate: file('server.pem'), key: file('server.key') };
}

describeWith('moto')('a database as on RDS', () => {
  const ROLE = 'rds_owner';
  let directory: string;
  let files: ReturnType<typeof certificates>;
  let postgres: PostgresServer;
  let aws: FakeAws;
  let admin: pg.Client;
  let cluster: Cluster;
  let secretArn: string;
  let url: string;

  /** The two steps of a rotation by RDS, in either order. */
  const changeInPostgres = (password: string) => admin.query(`ALTER ROLE ${ROLE} PASSWORD '${password}'`);
  const changeInSecret = (password: string) =>
    aws.ask([
      'secretsmanager',
      'put_secret_value',
      { SecretId: secretArn, SecretString: JSON.stringify({ username: ROLE, password }) },
    ]);
  const cutConnections = () =>
    admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [ROLE]);

  beforeAll(async () => {
    directory = temporaryDirectory('aws-logins');
    files = certificates(directory);
    const user = unprivilegedUser();
    giveTo(user, directory);
    for (const file of [files.key, files.certificate]) giveTo(user, file);
    postgres = await PostgresServer.start({
      logFile: join(directory, 'postgres.log'),
      settings: { ssl: 'on', ssl_cert_file: files.certificate, ssl_key_file: files.key },
    });
    admin = new pg.Client(postgres.url);
    await admin.connect();
    await admin.query(`CREATE ROLE ${ROLE} LOGIN SUPERUSER PASSWORD 'first'`);
    aws = await FakeAws.start();
    const [secret] = await aws.ask([
      'secretsmanager',
      'create_secret',
      { Name: 'rds!db-1', SecretString: JSON.stringify({ username: ROLE, password: 'first' }) },
    ]);
    secretArn = secret.ARN;
    url = `postgres://${ROLE}@localhost:${postgres.port}/holdfast?sslmode=verify-full`;
    cluster = await startCluster({
      nodes: 1,
      redis: false,
      nginx: false,
      databaseUrl: url,
      env: { ...aws.env, DATABASE_SECRET_ARN: secretArn, DATABASE_CA: files.ca },
      logDirectory: directory,
    });
  }, 180_000);

  afterAll(async () => {
    await cluster?.stop();
    await admin?.end();
    await aws?.stop();
    await postgres?.stop();
    removeTemporary(directory);
  });

  describe('TLS', () => {
    const connect = async (host: string, ca: readonly string[] | undefined) => {
      const pool = createPool({
        url: url.replace('localhost', host),
        password: async () => 'first',
        ca,
        max: 1,
        connectTimeoutMs: 5_000,
        statementTimeoutMs: 0,
        onIdleError: () => {},
      });
      try {
        const { rows } = await pool.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
        return rows[0];
      } finally {
        await pool.end();
      }
    };

    test('is used, with the configured authority', async () => {
      expect(await connect('localhost', await loadCertificates(files.ca))).toEqual({ ssl: true });
    });

    test('a server with another authority or another name is refused, also when no authority is configured', async () => {
      await expect(connect('localhost', await loadCertificates(files.other))).rejects.toThrow(/certificate/);
      await expect(connect('127.0.0.1', await loadCertificates(files.ca))).rejects.toThrow(/altnames|IP/);
      await expect(connect('localhost', undefined)).rejects.toThrow(/certificate/);
      await expect(connect('localhost', await loadCertificates('aws-rds'))).rejects.toThrow(/certificate/);
    });
  });

  describe('a new password', () => {
    let token: string;
    const acknowledged = new Map<string, number>();
    const publish = async (id: string) => {
      const response = await fetch(`${cluster.url}/v1/chat.postMessage`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ channel: 'room:1', text: id, client_msg_id: id }),
      });
      const body = (await response.json()) as { ok: boolean; offset: number };
      if (body.ok) acknowledged.set(id, body.offset);
      return response.status;
    };
    const untilAcknowledged = (id: string) =>
      eventually(async () => expect(await publish(id)).toBe(200), { timeoutMs: 40_000 });
    beforeAll(async () => {
      token = await cluster.token({ user: 'ada' });
    });

    test('is used by connections opened after it; no acknowledged message is missing', async () => {
      await untilAcknowledged('before');
      await changeInPostgres('second-secret');
      await changeInSecret('second-secret');
      // Open connections stay open.
      expect(await publish('during')).toBe(200);
      await cutConnections();
      await untilAcknowledged('after');
      const { rows } = await admin.query('SELECT count(*)::int AS n FROM messages');
      expect(rows[0].n).toBe(acknowledged.size);
    }, 60_000);

    test('that reaches the secret late is an outage that ends without intervention', async () => {
      await changeInPostgres('third-secret');
      await cutConnections();
      await eventually(async () => expect(await publish('too-early')).toBe(503));
      await sleep(500);
      await changeInSecret('third-secret');
      await untilAcknowledged('too-early');
      const { rows } = await admin.query('SELECT count(*)::int AS n FROM messages');
      expect(rows[0].n).toBe(acknowledged.size);
    }, 90_000);

    test('is not in the log', () => {
      const log = readFileSync(join(directory, 'node-1.log'), 'utf8');
      expect(log).toContain('28P01');
      expect(log).not.toMatch(/second-secret|third-secret/);
    });
  });
});
