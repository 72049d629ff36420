/** `RedisSubscription`: when it retries, and which errors of the connection cost the connection. */
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { SHARDED } from '../../../../server/backplane/pub-sub.ts';
import { RedisSubscription } from '../../../../server/backplane/redis-subscription.ts';

const OUT_OF_STEP = 'Command queue state error. If you can reproduce this, please report it. Last reply: ';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** A connection that confirms every SUBSCRIBE at once. */
class Connection extends EventEmitter {
  readonly status = 'ready';
  readonly subscribed: string[] = [];
  disconnects = 0;

  async ssubscribe(name: string): Promise<number> {
    this.subscribed.push(name);
    return 1;
  }

  async sunsubscribe(): Promise<number> {
    return 0;
  }

  disconnect(): void {
    this.disconnects++;
  }

  fail(message: string): void {
    this.emit('error', new Error(message));
  }
}

async function start(...names: string[]) {
  const connection = new Connection();
  let moves = 0;
  const subscription = new RedisSubscription({
    subscriber: connection as unknown as Redis,
    pubSub: SHARDED,
    names,
    onMessage: () => {},
    onChange: () => {},
    onMoved: () => moves++,
    onError: () => {},
  });
  connection.emit('ready');
  await jest.advanceTimersByTimeAsync(0);
  expect([subscription.isComplete, connection.subscribed.splice(0)]).toEqual([true, names]);
  return { connection, subscription, moves: () => moves };
}

describe('a channel that the server drops', () => {
  test('is reported, and subscribed again after 250 ms', async () => {
    const { connection, subscription, moves } = await start('a', 'b');
    connection.fail(`${OUT_OF_STEP}sunsubscribe,a,1`);
    expect([subscription.isComplete, moves()]).toEqual([false, 1]);
    await jest.advanceTimersByTimeAsync(249);
    expect(connection.subscribed).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect([connection.subscribed, subscription.isComplete, connection.disconnects]).toEqual([['a'], true, 0]);
  });

  test('is ignored after the slot map gave it to another server', async () => {
    const { connection, subscription, moves } = await start('a', 'b');
    subscription.reassign([], ['a']);
    connection.fail(`${OUT_OF_STEP}sunsubscribe,a,1`);
    expect([subscription.isComplete, moves(), connection.disconnects]).toEqual([true, 0, 0]);
  });
});

test('all channels are subscribed again after delays that double from 250 ms to 2 s, until they are reset', async () => {
  const { connection, subscription } = await start('a', 'b');
  const retryDelay = async () => {
    connection.fail(`${OUT_OF_STEP}ssubscribe,a,1`);
    for (let ms = 1; ; ms++) {
      await jest.advanceTimersByTimeAsync(1);
      if (connection.subscribed.splice(0).length === 2) return ms;
    }
  };
  const delays: number[] = [];
  for (let i = 0; i < 5; i++) delays.push(await retryDelay());
  expect(delays).toEqual([250, 500, 1_000, 2_000, 2_000]);
  subscription.resetRetryDelay();
  expect(await retryDelay()).toBe(250);
});

test('every other error replaces the connection', async () => {
  const { connection, subscription } = await start('a');
  connection.fail('read ECONNRESET');
  expect([subscription.isComplete, connection.disconnects]).toEqual([false, 1]);
});

test('after MOVED, `subscribe()` resolves, and the channel is subscribed by the retry', async () => {
  const { connection, subscription, moves } = await start('a');
  jest.spyOn(connection, 'ssubscribe').mockImplementationOnce(() => new Promise(() => {}));
  const subscribed = subscription.subscribe('b');
  connection.emit('moved');
  await subscribed;
  expect([subscription.isComplete, moves()]).toEqual([false, 1]);
  await jest.advanceTimersByTimeAsync(250);
  expect([connection.subscribed, subscription.isComplete]).toEqual([['b'], true]);
});
