/** A commit becomes the same segment with and without a backplane, and costs nothing that is not requested. */
import { expect, test } from '@jest/globals';
import type { StoredMessage } from '../../../../server/history/types.ts';
import { CommittedBatch } from '../../../../server/hub/committed-batch.ts';
import { decodeFrames } from '../../../support/simulated-client.ts';

const message = (offset: number): StoredMessage => ({
  offset,
  id: `id-${offset}`,
  sender: 'ann',
  data: '"ä€😀"',
  createdAt: 1_000,
});
const commit = { channel: 'c', epoch: 'e', messages: [message(5), message(6)] };

test('the segment is the same whether the backplane has read the body or not', () => {
  const announced = new CommittedBatch(commit);
  const texts = announced.body.toString().split('\n');
  expect(decodeFrames(announced.toSegment().bytes)).toEqual(texts);
  expect(new CommittedBatch(commit).toSegment()).toEqual(announced.toSegment());
  expect([announced.first, announced.count, announced.toSegment().last]).toEqual([5, 2, 6]);
});

test('without a request for body or segment no message is encoded', () => {
  const untouchable: StoredMessage = {
    ...message(5),
    get data(): string {
      throw new Error('encoded');
    },
  };
  expect(() => new CommittedBatch({ ...commit, messages: [untouchable] })).not.toThrow();
  expect(() => new CommittedBatch({ ...commit, messages: [untouchable] }).body).toThrow('encoded');
});
