/** `ChannelOrder`: one task of a channel at a time, in the order of their start, and no channel waits for another. */
import { describe, expect, test } from '@jest/globals';
import { ChannelOrder } from '../../../../server/gateway/channel-order.ts';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Tasks that end when the test says so, and what has happened to them. */
function setUp() {
  const order = new ChannelOrder();
  const log: string[] = [];
  const endings = new Map<string, { readonly resolve: () => void; readonly reject: (error: Error) => void }>();
  const run = (channel: string, name: string) => {
    const work = order.run(channel, () => {
      log.push(`${name} starts`);
      return new Promise<void>((resolve, reject) => endings.set(name, { resolve, reject }));
    });
    work.then(
      () => log.push(`${name} resolves`),
      (error: Error) => log.push(`${name} rejects: ${error.message}`),
    );
  };
  const end = async (name: string) => {
    endings.get(name)?.resolve();
    await settle();
  };
  const fail = async (name: string, message: string) => {
    endings.get(name)?.reject(new Error(message));
    await settle();
  };
  return { order, log, run, end, fail };
}

describe('tasks', () => {
  test('of one channel run one after the other, the first at once', async () => {
    const { log, run, end } = setUp();
    run('c', '1');
    expect(log).toEqual(['1 starts']);
    run('c', '2');
    run('c', '3');
    await settle();
    expect(log).toEqual(['1 starts']);
    await end('1');
    expect(log.filter((line) => line.endsWith('starts'))).toEqual(['1 starts', '2 starts']);
    await end('2');
    await end('3');
    expect(log.filter((line) => line.endsWith('resolves'))).toEqual(['1 resolves', '2 resolves', '3 resolves']);
  });

  test('of different channels do not wait for each other', async () => {
    const { log, run, end } = setUp();
    run('c', '1');
    run('d', '2');
    run('c', '3');
    await end('2');
    expect(log).toEqual(['1 starts', '2 starts', '2 resolves']);
  });

  test('that fail reject for their own caller only; the next ones run', async () => {
    const { order, log, run, end, fail } = setUp();
    run('c', '1');
    run('c', '2');
    await fail('1', 'no');
    expect([...log].sort()).toEqual(['1 rejects: no', '1 starts', '2 starts']);
    await end('2');
    expect([log.at(-1), order.pending('c')]).toEqual(['2 resolves', undefined]);
  });

  test('run at once again after all earlier ones have ended', async () => {
    const { log, run, end, fail } = setUp();
    run('c', '1');
    await end('1');
    run('c', '2');
    await fail('2', 'no');
    run('c', '3');
    expect(log.at(-1)).toBe('3 starts');
  });
});

describe('pending', () => {
  test('is undefined for a channel without tasks, and again when they have ended', async () => {
    const { order, run, end } = setUp();
    run('c', '1');
    expect([order.pending('d'), order.pending('c')]).toEqual([undefined, expect.any(Promise)]);
    await end('1');
    expect(order.pending('c')).toBeUndefined();
  });

  test('waits for the tasks that were started before, and not for later ones', async () => {
    const { order, log, run, end } = setUp();
    run('c', '1');
    run('c', '2');
    void order.pending('c')?.then(() => log.push('no longer pending'));
    run('c', '3');
    await end('1');
    expect(log).not.toContain('no longer pending');
    await end('2');
    expect(log).toContain('no longer pending');
    expect(log).not.toContain('3 resolves');
  });

  test('resolves although the task fails', async () => {
    const { order, run, fail } = setUp();
    run('c', '1');
    const pending = order.pending('c');
    await fail('1', 'no');
    await expect(pending).resolves.toBeUndefined();
  });
});
