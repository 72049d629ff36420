import { describe, expect, test } from '@jest/globals';
import { ReconnectDelays } from '../../../../server/backplane/reconnect-delays.ts';

describe('the delay before a reconnect', () => {
  const setUp = () => {
    let time = 0;
    const delays = new ReconnectDelays(() => time);
    const openFor = (ms: number) => {
      delays.opened();
      time += ms;
      return delays.next();
    };
    return { delays, openFor };
  };
  const expectWithin = (delay: number, ceiling: number) => {
    expect(delay).toBeGreaterThanOrEqual(ceiling / 2);
    expect(delay).toBeLessThanOrEqual(ceiling);
  };

  test('doubles up to two seconds while no connection opens', () => {
    const { delays } = setUp();
    for (const ceiling of [50, 100, 200, 400, 800, 1_600, 2_000, 2_000]) expectWithin(delays.next(), ceiling);
  });

  test('doubles too while connections open but do not last', () => {
    const { openFor } = setUp();
    for (const ceiling of [50, 100, 200, 400, 800, 1_600, 2_000, 2_000]) expectWithin(openFor(100), ceiling);
  });

  test('starts again at the shortest after a connection that lasted', () => {
    const { delays, openFor } = setUp();
    for (let i = 0; i < 8; i++) delays.next();
    expectWithin(openFor(60_000), 50);
    expectWithin(delays.next(), 100);
  });
});
