/** The verdict of the demo page detects lost, duplicated and reordered messages. */
import { describe, expect, test } from '@jest/globals';

interface Verdict {
  sent: number;
  waiting: number;
  failed: number;
  received: number[];
  underway: number;
  lost: number;
  duplicated: number;
  outOfOrder: number;
}

interface TallyLike {
  panes: Map<string, { begin(offset: number): void; lose(offset: number, sameEpoch: boolean): void }>;
  publish(seq: number): void;
  ack(seq: number, offset: number, now: number): void;
  fail(seq: number): void;
  receive(pane: string, seq: number | null, message: { id: string; offset: number }): void;
  count(now: number): Verdict;
}

// The scripts of the page are plain JavaScript, which the compiler does not check.
const script: string = new URL('../../../../server/public/tally.js', import.meta.url).href;
const { Tally, percentile } = (await import(script)) as {
  Tally: new (names: string[]) => TallyLike;
  percentile(values: number[], p: number): number;
};

function begun(): TallyLike {
  const tally = new Tally(['A', 'B']);
  for (const pane of tally.panes.values()) pane.begin(0);
  return tally;
}

const message = (offset: number) => ({ id: `m${offset}`, offset });

describe('Tally', () => {
  test('messages that both panes receive give a clean verdict', () => {
    const tally = begun();
    for (const seq of [1, 2]) {
      tally.publish(seq);
      tally.receive('A', seq, message(seq));
      tally.ack(seq, seq, 0);
      tally.receive('B', seq, message(seq));
    }
    const clean = { waiting: 0, failed: 0, underway: 0, lost: 0, duplicated: 0, outOfOrder: 0 };
    expect(tally.count(0)).toEqual({ sent: 2, received: [2, 2], ...clean });
  });

  test('a message that a pane has not received is under way, and lost after 10 s', () => {
    const tally = begun();
    tally.publish(1);
    tally.ack(1, 1, 1_000);
    tally.receive('A', 1, message(1));
    expect(tally.count(11_000)).toMatchObject({ underway: 1, lost: 0, received: [1, 0] });
    expect(tally.count(11_001)).toMatchObject({ underway: 0, lost: 1 });
    tally.receive('B', 1, message(1));
    expect(tally.count(20_000)).toMatchObject({ lost: 0, received: [1, 1] });
  });

  test('a skipped offset is lost at once, and counted once', () => {
    const tally = begun();
    for (const seq of [1, 2]) tally.publish(seq);
    for (const seq of [1, 2]) tally.ack(seq, seq, 0);
    tally.receive('A', 1, message(1));
    tally.receive('A', 2, message(2));
    tally.receive('B', 2, message(2));
    expect(tally.count(60_000)).toMatchObject({ lost: 1, received: [2, 1] });
  });

  test('distinguishes a duplicate from a message out of order', () => {
    const tally = begun();
    tally.receive('A', null, message(1));
    tally.receive('A', null, message(3));
    tally.receive('A', null, message(3));
    tally.receive('A', null, message(2));
    expect(tally.count(0)).toMatchObject({ duplicated: 1, outOfOrder: 1, lost: 1 });
  });

  test('a message without an ack never counts as lost', () => {
    const tally = begun();
    tally.publish(1);
    tally.publish(2);
    tally.fail(2);
    expect(tally.count(60_000)).toMatchObject({ sent: 0, waiting: 1, failed: 1, lost: 0 });
  });

  test('messages before the subscription of a pane do not count as lost; history lost under it does', () => {
    const tally = begun();
    tally.panes.get('B')?.begin(5);
    tally.publish(1);
    tally.ack(1, 5, 0);
    tally.receive('A', 1, message(1));
    expect(tally.count(60_000)).toMatchObject({ lost: 0 });
    tally.panes.get('B')?.lose(8, true);
    expect(tally.count(60_000)).toMatchObject({ lost: 3 });
  });
});

test('a percentile is a value that the given share does not exceed', () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  expect([percentile(values, 0.5), percentile(values, 0.99), percentile([7], 0.99)]).toEqual([100, 198, 7]);
  expect(percentile([], 0.5)).toBeNaN();
});
