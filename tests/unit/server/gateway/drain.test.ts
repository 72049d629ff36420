/** The rate of a drain, and its deadline. */
import { expect, test } from '@jest/globals';
import type { Connection } from '../../../../server/gateway/connection.ts';
import { drain } from '../../../../server/gateway/drain.ts';
import { eventually } from '../../../support/wait.ts';

/** Connections that reconnect when they are asked, or never. */
function crowd(count: number, leaves: boolean) {
  const connections = new Set<Connection>();
  let asked = 0;
  let closed = 0;
  for (let i = 0; i < count; i++) {
    const connection = {
      push: () => {
        asked++;
        if (leaves) connections.delete(connection);
      },
      close: () => {
        closed++;
        connections.delete(connection);
      },
    } as unknown as Connection;
    connections.add(connection);
  }
  return { connections, counts: () => ({ asked, closed }) };
}

test('an earlier deadline that is set during a drain ends it: SIGTERM after a deregistration', async () => {
  const { connections, counts } = crowd(1_000, false);
  let deadline = performance.now() + 3_600_000;
  const drained = drain(connections, { rate: 10, deadline: () => deadline, onProgress: () => {} });
  await new Promise((resolve) => setTimeout(resolve, 250));
  // At 10 per second, only a few have been asked by now.
  expect(counts().asked).toBeLessThan(20);
  expect(connections.size).toBe(1_000);
  deadline = performance.now();
  try {
    // At 10 per second, the drain would go on for 100 s.
    await eventually(() => expect(counts().closed).toBe(1_000), { timeoutMs: 5_000 });
  } finally {
    connections.clear();
    await drained;
  }
});

test('the rate holds if there is time; with too little time every connection is still asked', async () => {
  const few = crowd(30, true);
  await drain(few.connections, { rate: 1_000, deadline: () => performance.now() + 60_000, onProgress: () => {} });
  expect(few.counts()).toEqual({ asked: 30, closed: 0 });
  const many = crowd(500, true);
  const deadline = performance.now() + 2_500;
  await drain(many.connections, { rate: 1, deadline: () => deadline, onProgress: () => {} });
  expect(many.counts()).toEqual({ asked: 500, closed: 0 });
});
