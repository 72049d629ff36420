/** Bad settings and bad starts: one clear line, and an exit code that says which of the two it was. */
import { execFile } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createDatabase, type TestDatabase } from '../support/database.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'dist', 'server', 'main.js');

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Runs a node until it ends by itself; a node that starts well is ended by the time limit. */
function run(env: Record<string, string>): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN],
      { env: { PATH: process.env.PATH ?? '', ...env }, timeout: 15_000 },
      (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, output: stdout + stderr });
      },
    );
  });
}

describe('starting with bad settings', () => {
  let database: TestDatabase;
  let taken: Server;

  beforeAll(async () => {
    database = await createDatabase();
    // It reads and says nothing.
    taken = createServer((socket) => socket.on('error', () => {}).resume());
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    await new Promise((resolve) => taken.close(resolve));
    await database.drop();
  });

  const good = () => ({
    DATABASE_URL: database.url,
    AUTH_JWT_SECRET: 's'.repeat(32),
    HOST: '127.0.0.1',
    PORT: '0',
    METRICS_PORT: '0',
  });

  test('every wrong setting is named at once, secrets are not repeated, and the exit code is 2', async () => {
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

  test('missing settings are named with what they are for', async () => {
    const ended = await run({});
    expect(ended.code).toBe(2);
    expect(ended.output).toMatch(/DATABASE_URL is not set\. PostgreSQL/);
    const second = await run({ DATABASE_URL: database.url });
    expect(second.code).toBe(2);
    expect(second.output).toMatch(/AUTH_JWT_SECRET or AUTH_JWKS_URL must be set/);
  });

  test('a taken port is named with the setting that changes it', async () => {
    const port = String((taken.address() as AddressInfo).port);
    const service = await run({ ...good(), PORT: port });
    expect(service.code).toBe(1);
    expect(service.output).toContain(`Port ${port} is taken by another process; choose another with PORT.`);
    const metrics = await run({ ...good(), METRICS_PORT: port });
    expect(metrics.code).toBe(1);
    expect(metrics.output).toContain(`Port ${port} is taken by another process; choose another with METRICS_PORT.`);
  });

  test('a Postgres that does not answer is waited for, within bounds, and said so', async () => {
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

  test('a Postgres that takes the connection and says nothing is given up on as well', async () => {
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

  test('a Postgres that refuses the database, the user or the password is not waited for, and says which', async () => {
    const url = new URL(database.url);
    const changed = (change: Partial<Pick<URL, 'pathname' | 'username' | 'password'>>) =>
      Object.assign(new URL(url), change).href;
    const wrong: [string, RegExp][] = [
      [changed({ pathname: '/nowhere' }), /nowhere/],
      [changed({ password: 'hunter2' }), new RegExp(`password authentication failed.*${url.username}`)],
      [changed({ username: 'nobody' }), /password authentication failed.*nobody/],
    ];
    for (const [databaseUrl, reason] of wrong) {
      const begin = performance.now();
      const ended = await run({ ...good(), DATABASE_URL: databaseUrl });
      expect([databaseUrl, ended.code]).toEqual([databaseUrl, 1]);
      expect(ended.output).toMatch(/Postgres refused the connection \(DATABASE_URL\)/);
      expect(ended.output).toMatch(reason);
      expect(ended.output).not.toMatch(/hunter2|Postgres is not reachable yet/);
      expect(ended.output).not.toContain(`:${url.password}@`);
      // START_TIMEOUT_MS is a minute: it was not waited for.
      expect(performance.now() - begin).toBeLessThan(12_000);
    }
  });
});
