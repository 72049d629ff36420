/** The pace of a drain, and its end. */
import { expect, test } from '@jest/globals';
import type { Connection } from '../../../../server/gateway/connection.ts';
import { drain } from '../../../../server/gateway/drain.ts';

/** Connections that leave when they are asked to, or never. */
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

test('a later, nearer deadline ends a drain that has begun: SIGTERM comes while it is under way', async () => {
  const { connections, counts } = crowd(1_000, false);
  let deadline = performance.now() + 3_600_000;
  const drained = drain(connections, { rate: 10, deadline: () => deadline, onProgress: () => {} });
  await new Promise((resolve) => setTimeout(resolve, 250));
  // At ten a second, some have been asked, and few.
  expect(counts().asked).toBeLessThan(20);
  expect(connections.size).toBe(1_000);
  deadline = performance.now();
  await drained;
  expect(connections.size).toBe(0);
  expect(counts().closed).toBe(1_000);
});

test('with time enough the rate holds; with too little everybody is asked all the same', async () => {
  const few = crowd(30, true);
  await drain(few.connections, { rate: 1_000, deadline: () => performance.now() + 60_000, onProgress: () => {} });
  expect(few.counts()).toEqual({ asked: 30, closed: 0 });
  const many = crowd(500, true);
  const deadline = performance.now() + 2_500;
  await drain(many.connections, { rate: 1, deadline: () => deadline, onProgress: () => {} });
  expect(many.counts()).toEqual({ asked: 500, closed: 0 });
});
