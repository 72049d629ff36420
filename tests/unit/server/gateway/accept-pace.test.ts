/** The accept rate: many clients at once are admitted at the rate, with staggered delays. */
import { expect, test } from '@jest/globals';
import { AcceptPace } from '../../../../server/gateway/accept-pace.ts';

test('a burst of one second is admitted, the others get one slot each', () => {
  const pace = new AcceptPace(100, 0);
  const answers = Array.from({ length: 400 }, () => pace.take(0));
  expect(answers.slice(0, 100)).toEqual(Array.from({ length: 100 }, () => 0));
  expect(answers.slice(100, 104)).toEqual([10, 20, 30, 40]);
  expect(answers.at(-1)).toBe(3_000);
});

test('clients that return after their delay are all admitted in the time that the rate needs', () => {
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

test('no delay is longer than 30 s', () => {
  const pace = new AcceptPace(1, 0);
  const answers = Array.from({ length: 100 }, () => pace.take(0));
  expect(Math.max(...answers)).toBe(30_000);
});
