import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { jwtVerify } from 'jose';
import { ROOT } from '../../../../../infra/host/paths.ts';
import { newSecret, writeState } from '../../../../../infra/local/start/state.ts';
import { signToken } from '../../../../../infra/local/token/sign-token.ts';

const SECRET = newSecret();
const directory = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
afterAll(() => rmSync(directory, { recursive: true }));

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { AUTH_JWT_SECRET: _, ...inherited } = process.env;
  return spawnSync(process.execPath, ['--import', 'tsx', 'infra/local/token/main.ts', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...inherited, HOLDFAST_DIR: directory, ...env },
  });
}

async function verify(token: string, secret = SECRET) {
  return (await jwtVerify(token.trim(), new TextEncoder().encode(secret))).payload;
}

describe('tokens', () => {
  test('carry user, patterns and expiry', async () => {
    const payload = await verify(
      await signToken({ user: 'ada', subscribe: ['room:*'], publish: [], ttlSeconds: 60 }, SECRET),
    );
    expect(payload).toMatchObject({ sub: 'ada', channels: { subscribe: ['room:*'], publish: [] } });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
  });
});

describe('npm run token', () => {
  test('prints a token signed with the secret of the environment', async () => {
    const { stdout, status } = run(['--user', 'ada', '--subscribe', 'room:*', 'dm:ada', '--publish', 'room:1,room:2'], {
      AUTH_JWT_SECRET: SECRET,
    });
    expect(status).toBe(0);
    expect(await verify(stdout)).toMatchObject({
      channels: { subscribe: ['room:*', 'dm:ada'], publish: ['room:1', 'room:2'] },
    });
  });

  test('uses the secret of the last npm start, and prints JSON with --json', async () => {
    const secret = newSecret();
    writeState({ secret, processes: [] }, directory);
    const { stdout, status } = run(['--user', 'ada', '--json']);
    expect(status).toBe(0);
    const printed = JSON.parse(stdout) as { token: string; expires_at: string };
    expect(await verify(printed.token, secret)).toMatchObject({ sub: 'ada', exp: expect.any(Number) });
    expect(Date.parse(printed.expires_at)).toBeGreaterThan(Date.now());
    rmSync(join(directory, 'local.json'));
  });

  test.each([
    ['no user', [], /required option '-u, --user <name>' not specified/],
    ['a bad ttl', ['--user', 'ada', '--ttl', 'soon'], /whole number of seconds/],
    ['an unknown option', ['--user', 'ada', '--chanel', 'x'], /unknown option '--chanel'/],
    ['a short secret', ['--user', 'ada', '--secret', 'short'], /at least 32 bytes/],
    ['no secret anywhere', ['--user', 'ada'], /There is no secret to sign with/],
  ])('exits with code 2 and a one-line message on %s', (_, args, message) => {
    const { stdout, stderr, status } = run(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(2);
  });

  test('prints help', () => {
    const { stdout, status } = run(['--help']);
    expect(status).toBe(0);
    expect(stdout).toContain('--subscribe');
  });
});
