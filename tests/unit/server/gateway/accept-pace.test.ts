/** Paced accepts: a herd is let in at the rate, and is spread over the time that this takes. */
import { expect, test } from '@jest/globals';
import { AcceptPace } from '../../../../server/gateway/accept-pace.ts';

test('a burst of one second is let in, the rest get a slot each, one after the other', () => {
  const pace = new AcceptPace(100, 0);
  const answers = Array.from({ length: 400 }, () => pace.take(0));
  expect(answers.slice(0, 100)).toEqual(Array.from({ length: 100 }, () => 0));
  expect(answers.slice(100, 104)).toEqual([10, 20, 30, 40]);
  expect(answers.at(-1)).toBe(3_000);
});

test('a herd that comes when it is told is in after as many seconds as the rate needs', () => {
  const pace = new AcceptPace(100, 0);
  let due = Array.from({ length: 1_000 }, () => 0);
  let last = 0;
  for (let round = 0; due.length > 0 && round < 20; round++) {
    const again: number[] = [];
    for (const time of due.sort((a, b) => a - b)) {
      const wait = pace.take(time);
      if (wait > 0) again.push(time + wait);
      else last = Math.max(last, time);
    }
    due = again;
  }
  expect(due).toEqual([]);
  expect(last).toBeGreaterThanOrEqual(8_900);
  expect(last).toBeLessThan(12_000);
});

test('nobody is sent away for longer than half a minute', () => {
  const pace = new AcceptPace(1, 0);
  const answers = Array.from({ length: 100 }, () => pace.take(0));
  expect(Math.max(...answers)).toBe(30_000);
});
