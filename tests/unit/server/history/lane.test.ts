/** The lane: natural batches in order, one in flight, bounded, and no retry twice in a statement. */
import { describe, expect, test } from '@jest/globals';
import { type AppendResult, placeMessages } from '../../../../server/history/append.ts';
import { Lane } from '../../../../server/history/lane.ts';
import type { NewMessage } from '../../../../server/history/types.ts';

class Store {
  readonly batches: string[][] = [];
  inFlight = 0;
  failing = false;
  private top = 0;

  readonly store = async (messages: readonly NewMessage[]): Promise<AppendResult> => {
    this.inFlight++;
    expect(this.inFlight).toBe(1);
    this.batches.push(messages.map((message) => message.data));
    await new Promise((resolve) => setTimeout(resolve, 5));
    this.inFlight--;
    if (this.failing) throw new Error('away');
    const appended = messages.map(() => ({
      epoch: 'e',
      offset: ++this.top,
      id: `id${this.top}`,
      createdAt: 0,
      duplicate: false,
    }));
    return { appended, committed: [] };
  };
}

function createLane(store: Store, limits: Partial<{ batchMax: number; queueMax: number }> = {}): Lane {
  return new Lane({
    batchMax: 100,
    queueMax: 1_000,
    store: store.store,
    refusal: () => undefined,
    onCommitted: () => {},
    onBatch: () => {},
    ...limits,
  });
}

const message = (data: string, clientMsgId?: string): NewMessage => ({ channel: 'c', sender: 's', data, clientMsgId });

describe('Lane', () => {
  test('what arrives in one turn is one batch, what arrives during a commit is the next', async () => {
    const store = new Store();
    const lane = createLane(store);
    const first = ['1', '2', '3'].map((data) => lane.append(message(data)));
    await first[0];
    const second = ['4', '5'].map((data) => lane.append(message(data)));
    expect((await Promise.all([...first, ...second])).map((appended) => appended.offset)).toEqual([1, 2, 3, 4, 5]);
    expect(store.batches).toEqual([
      ['1', '2', '3'],
      ['4', '5'],
    ]);
  });

  test('batches are cut by count and by size, and order is kept', async () => {
    const store = new Store();
    const lane = createLane(store, { batchMax: 2 });
    await Promise.all(['1', '2', '3', '4', '5'].map((data) => lane.append(message(data))));
    expect(store.batches).toEqual([['1', '2'], ['3', '4'], ['5']]);
    const large = 'x'.repeat(3_000_000);
    await Promise.all([large, large].map((data) => lane.append(message(data))));
    expect(store.batches.slice(3).map((batch) => batch.length)).toEqual([1, 1]);
  });

  test('beyond its bound it refuses at once, and goes on with what it has', async () => {
    const lane = createLane(new Store(), { queueMax: 2 });
    const accepted = [lane.append(message('1')), lane.append(message('2'))];
    await expect(lane.append(message('3'))).rejects.toMatchObject({ code: 'overloaded', temporary: true });
    expect((await Promise.all(accepted)).map((appended) => appended.offset)).toEqual([1, 2]);
  });

  test('a retry in the same batch is not stored again and gets the first one’s answer', async () => {
    const store = new Store();
    const lane = createLane(store);
    const answers = await Promise.all([
      lane.append(message('a', 'k')),
      lane.append(message('b', 'k')),
      lane.append(message('c', 'other')),
    ]);
    expect(store.batches).toEqual([['a', 'c']]);
    expect(answers.map(({ offset, duplicate }) => [offset, duplicate])).toEqual([
      [1, false],
      [1, true],
      [2, false],
    ]);
  });

  test('a failed commit fails all of its batch, retries in it too, and the lane goes on', async () => {
    const store = new Store();
    const lane = createLane(store);
    store.failing = true;
    const failed = await Promise.allSettled([
      lane.append(message('a', 'k')),
      lane.append(message('b', 'k')),
      lane.append(message('c')),
    ]);
    expect(failed.map((result) => result.status)).toEqual(['rejected', 'rejected', 'rejected']);
    store.failing = false;
    expect((await lane.append(message('d'))).offset).toBe(1);
  });
});

test('placeMessages counts each channel up from its first, around the duplicates', () => {
  const messages = ['a', 'b', 'a', 'a', 'b'].map(
    (channel, i): NewMessage => ({ channel, sender: 's', data: String(i) }),
  );
  const row = {
    epoch: 'e',
    created_ms: 7,
    firsts: ['10', '1'],
    duplicates: [3],
    duplicate_offsets: ['4'],
    duplicate_ids: ['old'],
  };
  const { appended, committed } = placeMessages(
    messages,
    ['a', 'b'],
    [0, 1, 0, 0, 1],
    ['i0', 'i1', 'i2', 'i3', 'i4'],
    row,
  );
  expect(appended.map(({ offset, id, duplicate }) => [offset, id, duplicate])).toEqual([
    [10, 'i0', false],
    [1, 'i1', false],
    [4, 'old', true],
    [11, 'i3', false],
    [2, 'i4', false],
  ]);
  expect(committed.map(({ channel, messages: stored }) => [channel, stored.map((entry) => entry.offset)])).toEqual([
    ['a', [10, 11]],
    ['b', [1, 2]],
  ]);
});
