/** Races of the follower: a top that the history poll reports while a position is being read is kept. */
import { expect, test } from '@jest/globals';
import { createNoBackplane } from '../../../../server/backplane/none.ts';
import type { HistoryReader, Tops } from '../../../../server/history/types.ts';
import { SYSTEM_CLOCK } from '../../../../server/hub/clock.ts';
import { Pages } from '../../../../server/hub/pages.ts';
import { TailFollower } from '../../../../server/hub/tail-follower.ts';
import { TopsLoader } from '../../../../server/hub/tops-loader.ts';
import { NO_METRICS } from '../../../../server/telemetry/metrics.ts';
import { eventually } from '../../../support/wait.ts';

/** A history that answers for its positions when the test says so, and has no messages. */
class SlowHistory {
  private readonly waiting: ((tops: Tops) => void)[] = [];

  readonly reader: HistoryReader = {
    tops: () => new Promise((resolve) => this.waiting.push(resolve)),
    read: () => new Promise(() => {}),
    topsSince: () => new Promise(() => {}),
  };

  async answer(epoch: string, top: number): Promise<void> {
    await eventually(() => expect(this.waiting.length).toBeGreaterThan(0));
    this.waiting.shift()?.({ epoch, tops: new Map([['c', top]]) });
  }
}

function setUp() {
  const history = new SlowHistory();
  const follower = new TailFollower(
    'c',
    {
      backplane: createNoBackplane(),
      pages: new Pages({ history: history.reader, pageSize: 10, concurrency: 1, cacheBytes: 0 }),
      tops: new TopsLoader(history.reader, SYSTEM_CLOCK),
      clock: SYSTEM_CLOCK,
      limits: { windowMessages: 10, windowBytes: 10_000, aheadMax: 10 },
      gapHoldMs: 1,
      metrics: NO_METRICS,
      onRegression: () => {},
      onError: () => {},
    },
    { onGrown: () => {}, onReset: () => {}, onSkipped: () => {} },
  );
  return { history, follower };
}

test('a top that the poll reports while the channel is being opened is known once it is open', async () => {
  const { history, follower } = setUp();
  const opening = follower.open();
  follower.noteTop({ epoch: 'e1', top: 7 });
  await history.answer('e1', 5);
  await opening;
  expect([follower.tail.top, follower.tail.known]).toEqual([5, 7]);
});

test('a top that the poll reports while the position of a new epoch is being read is known in the new tail', async () => {
  const { history, follower } = setUp();
  const opening = follower.open();
  await history.answer('e1', 5);
  await opening;
  follower.noteEpoch('e2');
  follower.noteTop({ epoch: 'e2', top: 3 });
  await history.answer('e2', 1);
  await eventually(() => expect(follower.tail.epoch).toBe('e2'));
  expect([follower.tail.top, follower.tail.known]).toEqual([1, 3]);
});

test('a top of a former epoch changes nothing', async () => {
  const { history, follower } = setUp();
  const opening = follower.open();
  follower.noteTop({ epoch: 'e0', top: 100 });
  await history.answer('e1', 5);
  await opening;
  expect([follower.tail.epoch, follower.tail.known]).toEqual(['e1', 5]);
});
