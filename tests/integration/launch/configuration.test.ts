/** A node that cannot start prints the reason and exits with 2 for wrong settings, with 1 for other failures. */
import { execFile, spawn } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SERVER_MAIN } from '../../../infra/host/paths.ts';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';
import { RedisServer } from '../../../infra/local/servers/redis.ts';
import { createDatabase, type TestDatabase } from '../../support/database.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually } from '../../support/wait.ts';

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Runs a node until it exits. A node that starts is killed after the time limit. */
function run(env: Record<string, string>): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [SERVER_MAIN],
      { env: { PATH: process.env.PATH ?? '', ...env }, timeout: 15_000 },
      (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, output: stdout + stderr });
      },
    );
  });
}

describe('a node that cannot start', () => {
  let database: TestDatabase;
  let taken: Server;
  let logs: string;

  beforeAll(async () => {
    logs = temporaryDirectory('configuration');
    database = await createDatabase();
    // A server that accepts connections and never replies.
    taken = createServer((socket) => socket.on('error', () => {}).resume());
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    await new Promise((resolve) => taken.close(resolve));
    await database.drop();
    removeTemporary(logs);
  });

  const good = () => ({
    DATABASE_URL: database.url,
    AUTH_JWT_SECRET: 's'.repeat(32),
    HOST: '127.0.0.1',
    PORT: '0',
    METRICS_PORT: '0',
  });

  test('every wrong setting is reported at once, secrets are not repeated, and the exit code is 2', async () => {
    const ended = await run({
      DATABASE_URL: 'mysql://root:hunter2@db/holdfast',
      AUTH_JWT_SECRET: 'tooshortsecret',
      PORT: '99999',
      HISTORY_LANES: 'many',
      LOG_LEVEL: 'loud',
      TRACE_SAMPLE_RATIO: '2',
    });
    expect(ended.code).toBe(2);
    for (const name of [
      'DATABASE_URL',
      'AUTH_JWT_SECRET',
      'PORT',
      'HISTORY_LANES',
      'LOG_LEVEL',
      'TRACE_SAMPLE_RATIO',
    ]) {
      expect(ended.output).toMatch(new RegExp(`^  ${name}[: ]`, 'm'));
    }
    expect(ended.output).not.toMatch(/hunter2|tooshortsecret/);
    expect(ended.output.trim().split('\n')).toHaveLength(7);
  });

  test('missing settings are reported with their description', async () => {
    const ended = await run({});
    expect(ended.code).toBe(2);
    expect(ended.output).toMatch(/DATABASE_URL is not set\. PostgreSQL/);
    const second = await run({ DATABASE_URL: database.url });
    expect(second.code).toBe(2);
    expect(second.output).toMatch(/AUTH_JWT_SECRET or AUTH_JWKS_URL must be set/);
  });

  test('a port in use is reported with the setting that changes it', async () => {
    const port = String((taken.address() as AddressInfo).port);
    const service = await run({ ...good(), PORT: port });
    expect(service.code).toBe(1);
    expect(service.output).toContain(`Port ${port} is in use by another process; choose another with PORT.`);
    const metrics = await run({ ...good(), METRICS_PORT: port });
    expect(metrics.code).toBe(1);
    expect(metrics.output).toContain(`Port ${port} is in use by another process; choose another with METRICS_PORT.`);
  });

  test('a Postgres that cannot be reached is retried until START_TIMEOUT_MS, with a log line', async () => {
    const ended = await run({
      ...good(),
      DATABASE_URL: 'postgres://holdfast:hunter2@127.0.0.1:1/holdfast',
      START_TIMEOUT_MS: '2000',
    });
    expect(ended.code).toBe(1);
    expect(ended.output).toMatch(/Postgres is not reachable yet/);
    expect(ended.output).toMatch(/did not answer within 2000 ms \(START_TIMEOUT_MS\)/);
    expect(ended.output).not.toContain('hunter2');
  });

  test('a Postgres that accepts connections and never replies is given up after START_TIMEOUT_MS', async () => {
    const port = String((taken.address() as AddressInfo).port);
    const ended = await run({
      ...good(),
      DATABASE_URL: `postgres://holdfast:hunter2@127.0.0.1:${port}/holdfast`,
      START_TIMEOUT_MS: '1000',
    });
    expect(ended.code).toBe(1);
    expect(ended.output).toMatch(/did not answer within 1000 ms \(START_TIMEOUT_MS\)/);
    expect(ended.output).not.toContain('hunter2');
  });

  test('a refused database, user or password is reported at once, without retries', async () => {
    const url = new URL(database.url);
    const changed = (change: Partial<Pick<URL, 'pathname' | 'username' | 'password'>>) =>
      Object.assign(new URL(url), change).href;
    const wrong: [string, RegExp][] = [
      [changed({ pathname: '/nowhere' }), /nowhere/],
      [changed({ password: 'hunter2' }), new RegExp(`password authentication failed.*${url.username}`)],
      [changed({ username: 'stranger' }), /password authentication failed.*stranger/],
    ];
    for (const [databaseUrl, reason] of wrong) {
      const begin = performance.now();
      const ended = await run({ ...good(), DATABASE_URL: databaseUrl });
      expect([databaseUrl, ended.code]).toEqual([databaseUrl, 1]);
      expect(ended.output).toMatch(/Postgres refused the connection \(DATABASE_URL\)/);
      expect(ended.output).toMatch(reason);
      expect(ended.output).not.toMatch(/hunter2|Postgres is not reachable yet/);
      expect(ended.output).not.toContain(`:${url.password}@`);
      // START_TIMEOUT_MS is 60 s, so there was no retry.
      expect(performance.now() - begin).toBeLessThan(12_000);
    }
  });

  describeWith('redis')('a Redis that does not match REDIS_CLUSTER', () => {
    const startMember = () =>
      RedisServer.start({ logFile: join(logs, 'member.log'), args: ['--cluster-enabled', 'yes'] });

    test('is refused at start, with the setting to change', async () => {
      const one = await RedisServer.start({ logFile: join(logs, 'one.log') });
      const member = await startMember();
      const cluster = await run({ ...good(), REDIS_URL: member.url });
      expect([cluster.code, cluster.output]).toEqual([1, expect.stringContaining('Set REDIS_CLUSTER to true.')]);
      const single = await run({ ...good(), REDIS_URL: one.url, REDIS_CLUSTER: 'true' });
      expect([single.code, single.output]).toEqual([
        1,
        expect.stringMatching(/REDIS_CLUSTER is true, .* Set it to false/),
      ]);
      await Promise.all([one.stop(), member.stop()]);
    }, 60_000);

    test('is not used when it comes up later, and is logged', async () => {
      const member = await startMember();
      await member.process.stop('SIGTERM', 5_000);
      const node = spawn(process.execPath, [SERVER_MAIN], {
        stdio: ['ignore', 'pipe', 'ignore'],
        env: { PATH: process.env.PATH ?? '', ...good(), REDIS_URL: member.url },
      });
      let output = '';
      node.stdout.on('data', (chunk: Buffer) => {
        output += String(chunk);
      });
      try {
        await eventually(() => expect(output).toContain('"msg":"Serving."'));
        await member.restart();
        await eventually(() => expect(output).toMatch(/"err":\{[^}]*Set REDIS_CLUSTER to true/));
      } finally {
        node.kill('SIGKILL');
        await member.stop();
      }
    }, 60_000);
  });
});
