/** Group commit: batches in order, one in flight, a bounded queue, and no message together with its retry in a statement. */
import { describe, expect, test } from '@jest/globals';
import { placeMessages } from '../../../../server/history/append.ts';
import { Lane } from '../../../../server/history/lane.ts';
import { answerAll, separateRetries } from '../../../../server/history/retries.ts';
import type { Appended, NewMessage } from '../../../../server/history/types.ts';

class Store {
  readonly batches: string[][] = [];
  inFlight = 0;
  failing = false;
  private top = 0;

  readonly commit = async (messages: readonly NewMessage[]): Promise<readonly Appended[]> => {
    this.inFlight++;
    expect(this.inFlight).toBe(1);
    this.batches.push(messages.map((message) => message.data));
    await new Promise((resolve) => setTimeout(resolve, 5));
    this.inFlight--;
    if (this.failing) throw new Error('away');
    return messages.map(() => ({
      epoch: 'e',
      offset: ++this.top,
      id: `id${this.top}`,
      createdAt: 0,
      duplicate: false,
    }));
  };
}

function createLane(store: Store, limits: Partial<{ batchMax: number; queueMax: number }> = {}): Lane {
  return new Lane({ batchMax: 100, queueMax: 1_000, commit: store.commit, ...limits });
}

const message = (data: string, clientMsgId?: string): NewMessage => ({ channel: 'c', sender: 's', data, clientMsgId });

describe('Lane', () => {
  test('messages of one turn are one batch, messages that arrive during a commit are the next', async () => {
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

  test('a full queue rejects at once, and what is queued is committed', async () => {
    const lane = createLane(new Store(), { queueMax: 2 });
    const accepted = [lane.append(message('1')), lane.append(message('2'))];
    await expect(lane.append(message('3'))).rejects.toMatchObject({ code: 'overloaded', temporary: true });
    expect((await Promise.all(accepted)).map((appended) => appended.offset)).toEqual([1, 2]);
  });

  test('a failed commit rejects every message of its batch, and the lane goes on', async () => {
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

test('a retry in the same batch is not stored again and gets the answer of its first try', () => {
  const other = { ...message('d', 'k'), sender: 'other' };
  const batch = [message('a', 'k'), message('b', 'k'), message('c', 'l'), other, message('e'), message('f', 'k')];
  const { messages, indexes } = separateRetries(batch);
  expect(messages.map(({ data }) => data)).toEqual(['a', 'c', 'd', 'e']);
  const stored = messages.map((_, i) => ({ epoch: 'e', offset: i + 1, id: `id${i}`, createdAt: 0, duplicate: false }));
  expect(answerAll(indexes, stored).map(({ offset, duplicate }) => [offset, duplicate])).toEqual([
    [1, false],
    [1, true],
    [2, false],
    [3, false],
    [4, false],
    [1, true],
  ]);
});

test('placeMessages numbers the new messages of each channel without a hole and keeps the offsets of duplicates', () => {
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
