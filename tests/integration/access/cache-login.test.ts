/** The login for ElastiCache equals the one that the AWS SDK signs, and each new connection uses the latest. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';
import { RedisServer } from '../../../infra/local/servers/redis.ts';
import { CacheLogin, cacheToken } from '../../../server/aws/cache-login.ts';
import { createRedis } from '../../../server/backplane/redis-connection.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually } from '../../support/wait.ts';

const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCY' };
const options = (sessionToken?: string) => ({
  cache: 'holdfast-prod-backplane',
  user: 'holdfast-prod-server',
  region: 'eu-west-1',
  credentials: async () => ({ ...KEYS, ...(sessionToken !== undefined && { sessionToken }) }),
});

describeWith('moto')('the token', () => {
  test.each([
    ['fixed keys', ''],
    ['a role', 'FwoGZXIvYXdzEJr//////////wEaD+/='],
  ])('is the one that the AWS client for Python makes, with %s', async (_, session) => {
    const { cache, user, region } = options();
    const script = join(import.meta.dirname, '..', '..', 'support', 'fake-aws', 'cache_token.py');
    const args = [script, cache, user, region, KEYS.accessKeyId, KEYS.secretAccessKey, session];
    const theirs = JSON.parse(spawnSync('python3', args, { encoding: 'utf8' }).stdout);
    const [, y, m, d, h, min, s] = /^(....)(..)(..)T(..)(..)(..)Z$/.exec(theirs.query['X-Amz-Date']) ?? [];
    const token = await cacheToken(options(session || undefined), new Date(`${y}-${m}-${d}T${h}:${min}:${s}Z`));
    const ours = new URL(`http://${token}`);
    expect({ host: ours.host, query: Object.fromEntries(ours.searchParams) }).toEqual(theirs);
  });
});

test('the name of a cache is written in lower case, as AWS stores it', async () => {
  const token = await cacheToken({ ...options(), cache: 'Holdfast-Prod' });
  expect(token).toMatch(/^holdfast-prod\/\?Action=connect&User=holdfast-prod-server&/);
});

test('a failure of the first login is an error; a later failure keeps the old login and is retried', async () => {
  jest.useFakeTimers();
  try {
    let fails = true;
    const errors: unknown[] = [];
    const credentials = async () => {
      if (fails) throw new Error('no role');
      return KEYS;
    };
    const start = () => CacheLogin.start({ ...options(), credentials, onError: (error) => errors.push(error) });
    await expect(start()).rejects.toThrow('no role');
    fails = false;
    const login = await start();
    const first = login.password;
    fails = true;
    await jest.advanceTimersByTimeAsync(240_000);
    expect([login.password, errors.length]).toEqual([first, 1]);
    fails = false;
    await jest.advanceTimersByTimeAsync(240_000);
    // Real threads do the signing, and fake timers do not wait for them.
    jest.useRealTimers();
    await eventually(() => expect(login.password).not.toBe(first));
    // The new login is made well before the old one expires.
    expect(2 * 240).toBeLessThan(Number(new URL(`http://${login.password}`).searchParams.get('X-Amz-Expires')));
    login.stop();
  } finally {
    jest.useRealTimers();
  }
});

describe('a connection', () => {
  let logs: string;
  let server: RedisServer;
  let redis: Redis;
  beforeAll(async () => {
    logs = temporaryDirectory('cache-login');
    server = await RedisServer.start({ logFile: join(logs, 'redis.log') });
  });
  afterAll(async () => {
    redis?.disconnect();
    await server?.stop();
    removeTemporary(logs);
  });

  test('that broke reconnects with the latest password', async () => {
    const setPassword = (password: string) =>
      server.command(['ACL', 'SETUSER', 'server', 'on', 'resetpass', `>${password}`, '~*', '&*', '+@all']);
    let password = 'first';
    const login = {
      username: 'server',
      get password() {
        return password;
      },
    };
    await setPassword('first');
    redis = createRedis({ url: server.url, timeoutMs: 5_000, name: 'test', login, onError: () => {} });
    await redis.connect();
    expect(await redis.call('ACL', 'WHOAMI')).toBe('server');
    await setPassword('second');
    password = 'second';
    await server.command(['CLIENT', 'KILL', 'USER', 'server']);
    await eventually(async () => expect(await redis.call('ACL', 'WHOAMI')).toBe('server'));
    // A wrong password is refused, so the success above is that of the right one.
    await setPassword('third');
    await server.command(['CLIENT', 'KILL', 'USER', 'server']);
    await eventually(async () => await expect(redis.call('ACL', 'WHOAMI')).rejects.toThrow());
    password = 'third';
    await eventually(async () => expect(await redis.call('ACL', 'WHOAMI')).toBe('server'));
  });
});
