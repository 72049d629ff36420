/** The reconnect delays of one connection to Redis, against a real server that closes it again and again. */
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';
import { RedisServer } from '../../../infra/local/servers/redis.ts';
import { createRedis } from '../../../server/backplane/redis-connection.ts';

test('a connection that Redis keeps closing is retried with growing delays', async () => {
  const logs = temporaryDirectory('redis-connection');
  const server = await RedisServer.start({ logFile: join(logs, 'redis.log') });
  const redis = createRedis({ url: server.url, timeoutMs: 5_000, name: 'test', onError: () => {} });
  const started = performance.now();
  void redis.connect();
  for (let opened = 0; opened < 6; opened++) {
    await once(redis, 'ready');
    await server.command(['CLIENT', 'KILL', 'TYPE', 'normal']);
  }
  // The delays are 50, 100, 200, 400 and 800 ms, less up to half as jitter: 775 ms or more. Constant ones would be 250 ms.
  expect(performance.now() - started).toBeGreaterThan(775);
  redis.disconnect();
  await server.stop();
  removeTemporary(logs);
});
