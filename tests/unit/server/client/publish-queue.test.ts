/** The publish queue: idempotency keys, order, pauses, deadlines, limits. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Backoff } from '../../../../server/client/backoff.ts';
import type { HoldfastError } from '../../../../server/client/errors.ts';
import { PublishQueue } from '../../../../server/client/publish-queue.ts';
import type { ErrorCode } from '../../../../server/protocol/codes.ts';
import type { CommandOf } from '../../../../server/protocol/commands.ts';

const channel = 'room:42';

describe('PublishQueue', () => {
  let frames: string[] = [];
  let publisher: PublishQueue;
  const commands = () => frames.map((frame) => JSON.parse(frame) as CommandOf<'publish'>);
  const last = () => commands().at(-1) as CommandOf<'publish'>;

  beforeEach(() => {
    jest.useFakeTimers();
    publisher = make();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  function make(more: { maxQueued?: number; maxInFlight?: number } = {}): PublishQueue {
    let ids = 0;
    let keys = 0;
    frames = [];
    return new PublishQueue({
      timeoutMs: 30_000,
      maxQueued: 100,
      maxInFlight: 10,
      send: (frame) => frames.push(frame) > 0,
      nextId: () => `c${++ids}`,
      nextKey: () => `key-${++keys}`,
      backoff: new Backoff({ baseMs: 200, maxMs: 5_000 }, () => 0.5),
      ...more,
    });
  }

  function ack(id: string, offset: number, duplicate?: true): void {
    publisher.onAck({ type: 'ack', id, channel, offset, epoch: 'e1', ...(duplicate ? { duplicate } : {}) });
  }

  function refuse(id: string, code: ErrorCode, retry_after_ms?: number): boolean {
    const retry = retry_after_ms === undefined ? {} : { retry_after_ms };
    return publisher.onError({ type: 'error', id, code, message: code, ...retry });
  }

  function outcome(publish: Promise<unknown>): Promise<unknown> {
    return publish.catch((error: HoldfastError) => error);
  }

  test('waits for the connection, then resolves with the result of the ack', async () => {
    const result = publisher.publish(channel, { text: 'hello' });
    expect(frames).toHaveLength(0);
    publisher.connected(65_536);
    expect(last()).toMatchObject({ id: 'c1', channel, data: { text: 'hello' }, client_msg_id: 'key-1' });
    ack('c1', 7);
    await expect(result).resolves.toEqual({ offset: 7, epoch: 'e1', duplicate: false });
    expect(jest.getTimerCount()).toBe(0);
  });

  test('after a reconnect, sends unacknowledged frames again, in order and unchanged', async () => {
    publisher.connected(65_536);
    const data = { text: 'first' };
    const results = [publisher.publish(channel, data), publisher.publish(channel, 2), publisher.publish(channel, 3)];
    data.text = 'changed afterwards';
    ack('c2', 2);
    publisher.disconnected();
    const before = [...frames];
    publisher.connected(65_536);
    expect(frames.slice(3)).toEqual([before[0], before[2]]);
    ack('c1', 1, true);
    ack('c3', 3);
    await expect(Promise.all(results)).resolves.toMatchObject([{ duplicate: true }, { offset: 2 }, { offset: 3 }]);
  });

  test('retries after a temporary error with the same key, no sooner than retry_after_ms', () => {
    publisher.connected(65_536);
    void publisher.publish(channel, 1);
    expect(refuse('c1', 'unavailable', 2_000)).toBe(true);
    jest.advanceTimersByTime(2_000);
    expect(frames).toHaveLength(1);
    jest.advanceTimersByTime(200);
    expect(frames).toHaveLength(2);
    expect(frames[1]).toBe(frames[0]);
  });

  test('without retry_after_ms the delays grow', () => {
    publisher.connected(65_536);
    void publisher.publish(channel, 1);
    for (const waitMs of [100, 200, 400]) {
      const count = frames.length;
      refuse('c1', 'internal');
      jest.advanceTimersByTime(waitMs - 1);
      expect(frames).toHaveLength(count);
      jest.advanceTimersByTime(1);
      expect(frames).toHaveLength(count + 1);
    }
  });

  test('a permanent error rejects without a retry', async () => {
    publisher.connected(65_536);
    const result = outcome(publisher.publish(channel, 1));
    refuse('c1', 'forbidden');
    expect(await result).toMatchObject({ code: 'forbidden', temporary: false, clientMsgId: 'key-1', channel });
    publisher.disconnected();
    publisher.connected(65_536);
    expect(frames).toHaveLength(1);
  });

  test('rejects after 30 s with the clientMsgId to publish again with', async () => {
    const first = outcome(publisher.publish(channel, 1));
    jest.advanceTimersByTime(20_000);
    const second = outcome(publisher.publish(channel, 2, 'mine'));
    jest.advanceTimersByTime(10_000);
    expect(await first).toMatchObject({ code: 'timeout', temporary: true, clientMsgId: 'key-1' });
    expect(publisher.size).toBe(1);
    jest.advanceTimersByTime(20_000);
    expect(await second).toMatchObject({ code: 'timeout', clientMsgId: 'mine' });
    expect(jest.getTimerCount()).toBe(0);
  });

  test('rejects with queue_full at the limit', async () => {
    publisher = make({ maxQueued: 2 });
    void publisher.publish(channel, 1);
    void publisher.publish(channel, 2);
    expect(await outcome(publisher.publish(channel, 3))).toMatchObject({ code: 'queue_full', temporary: true });
  });

  test('limits the publishes in flight; each ack sends one more', () => {
    publisher = make({ maxInFlight: 2 });
    publisher.connected(65_536);
    for (let i = 0; i < 5; i++) void publisher.publish(channel, i);
    expect(frames).toHaveLength(2);
    ack('c1', 1);
    expect(frames).toHaveLength(3);
  });

  test('rejects a frame over the size limit without sending it', async () => {
    const result = outcome(publisher.publish(channel, 'ä'.repeat(100)));
    publisher.connected(250);
    expect(await result).toMatchObject({ code: 'too_large', temporary: false });
    expect(frames).toHaveLength(0);
  });

  test('rejects data that JSON cannot encode and keeps nothing of it', async () => {
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    await expect(publisher.publish(channel, cyclic as never)).rejects.toThrow(TypeError);
    expect(publisher.size).toBe(0);
  });

  test('close rejects all publishes and leaves no timer', async () => {
    publisher.connected(65_536);
    const results = [outcome(publisher.publish(channel, 1)), outcome(publisher.publish(channel, 2))];
    refuse('c1', 'overloaded', 1_000);
    const { HoldfastError: Type } = await import('../../../../server/client/errors.ts');
    publisher.close(new Type('closed', 'bye'));
    expect(await Promise.all(results)).toMatchObject([{ code: 'closed' }, { code: 'closed' }]);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('widens the spacing once for publishes that were in flight together, however late their errors arrive', () => {
    publisher = make({ maxInFlight: 20 });
    publisher.connected(65_536);
    for (let i = 1; i <= 20; i++) void publisher.publish(channel, i);
    for (let i = 1; i <= 20; i++) {
      refuse(`c${i}`, 'rate_limited', 5);
      // The pause ends before the next error.
      jest.advanceTimersByTime(50);
    }
    for (let i = 1; i <= 20; i++) ack(`c${i}`, i);
    frames = [];
    for (let i = 0; i < 20; i++) void publisher.publish(channel, i);
    // Spaced by 4 ms at most.
    jest.advanceTimersByTime(80);
    expect(frames).toHaveLength(20);
  });

  test('widens the spacing again when a publish with the new spacing is refused', () => {
    publisher = make({ maxInFlight: 50 });
    publisher.connected(65_536);
    void publisher.publish(channel, 0);
    // The spacing becomes 4, 6, 9, 13.5, 20.25 and 30.375 ms.
    for (let i = 1; i <= 6; i++) {
      refuse('c1', 'rate_limited', 100);
      jest.advanceTimersByTime(100);
    }
    ack('c1', 1);
    frames = [];
    for (let i = 0; i < 50; i++) void publisher.publish(channel, i);
    jest.advanceTimersByTime(300);
    expect(frames.length).toBeGreaterThan(8);
    expect(frames.length).toBeLessThan(14);
  });

  test.each([2, 50, 400])(
    'adapts to a rate limit over a round trip of %i ms: few attempts are refused',
    (roundTripMs) => {
      const count = 2_000;
      const perSecond = 200;
      publisher = make({ maxQueued: count, maxInFlight: 256 });
      let tokens = perSecond * 2;
      let refused = 0;
      let accepted = 0;
      let served = 0;
      let ms = 0;
      const later = (task: () => void) => setTimeout(task, roundTripMs / 2);
      const serve = (frame: string) => {
        const { id } = JSON.parse(frame) as CommandOf<'publish'>;
        if (tokens < 1) later(() => refuse(id, 'rate_limited', Math.ceil(((1 - tokens) / perSecond) * 1_000)));
        else later(() => ack(id, ++accepted));
        if (tokens < 1) refused += 1;
        else tokens -= 1;
      };
      publisher.connected(65_536);
      for (let i = 0; i < count; i++) void outcome(publisher.publish(channel, i));
      for (; accepted < count && ms < 60_000; ms++) {
        tokens = Math.min(perSecond * 2, tokens + perSecond / 1_000);
        for (const frame of frames.slice(served)) later(() => serve(frame));
        served = frames.length;
        jest.advanceTimersByTime(1);
      }
      expect(accepted).toBe(count);
      // After the burst of 400, the limit allows 200 publishes per second.
      expect(ms).toBeLessThan(8_000 * 1.25);
      expect(refused).toBeLessThan(count / 4);
    },
  );
});
