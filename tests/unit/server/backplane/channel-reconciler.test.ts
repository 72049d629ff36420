/** `ChannelReconciler`: which channels are subscribed when, and that a channel that is missing never counts as in place. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BATCH_MAX, type ChannelCommand, ChannelReconciler } from '../../../../server/backplane/channel-reconciler.ts';
import { SimulatedSubscriber } from './simulated-subscriber.ts';

/** Connected, with every channel in place. */
function inPlace(...names: string[]): ChannelReconciler {
  const channels = new ChannelReconciler(names);
  channels.opened();
  confirmAll(channels);
  return channels;
}

function confirmAll(channels: ChannelReconciler): string[] {
  const names: string[] = [];
  for (let batch = channels.nextBatch(); batch; batch = channels.nextBatch()) {
    names.push(...batch.names);
    channels.confirmed(batch);
  }
  return names;
}

function nextBatch(channels: ChannelReconciler): ChannelCommand {
  const batch = channels.nextBatch();
  if (!batch) throw new Error('Nothing is queued.');
  return batch;
}

describe('a new connection', () => {
  test('subscribes every channel, in batches of which one is unanswered at a time', () => {
    const names = Array.from({ length: BATCH_MAX + 1 }, (_, i) => `c${i}`);
    const channels = new ChannelReconciler(names);
    expect([channels.nextBatch(), channels.isComplete]).toEqual([undefined, false]);
    channels.opened();
    const first = nextBatch(channels);
    expect([first.names.length, channels.nextBatch()]).toEqual([BATCH_MAX, undefined]);
    channels.confirmed(first);
    const second = nextBatch(channels);
    expect([second.names, channels.isComplete]).toEqual([[`c${BATCH_MAX}`], false]);
    channels.confirmed(second);
    expect(channels.isComplete).toBe(true);
  });

  test('ignores answers to commands of the connection before', () => {
    const channels = new ChannelReconciler(['a']);
    channels.opened();
    const old = nextBatch(channels);
    channels.closed();
    channels.opened();
    expect(channels.isCurrent(old)).toBe(false);
    channels.moved(old);
    channels.confirmed(old);
    expect([channels.needsRetry, channels.isComplete]).toEqual([false, false]);
    expect(confirmAll(channels)).toEqual(['a']);
    expect(channels.isComplete).toBe(true);
  });

  test('subscribes channels that were wanted and omits those that were unwanted while there was none', () => {
    const channels = new ChannelReconciler(['a']);
    expect([channels.want('b'), channels.unwant('a')]).toEqual([undefined, undefined]);
    channels.opened();
    expect(confirmAll(channels)).toEqual(['b']);
  });
});

describe('a channel that is dropped', () => {
  test('is subscribed again by the retry, alone', () => {
    const channels = inPlace('a', 'b');
    expect(channels.dropped('a')).toBe(true);
    expect([channels.isComplete, channels.needsRetry, channels.nextBatch()]).toEqual([false, true, undefined]);
    expect(channels.retry()).toBe(false);
    expect(confirmAll(channels)).toEqual(['a']);
    expect(channels.isComplete).toBe(true);
  });

  test('is subscribed again although a confirmation from before arrives late', () => {
    const channels = new ChannelReconciler(['a']);
    channels.opened();
    const batch = nextBatch(channels);
    channels.dropped('a');
    channels.confirmed(batch);
    expect([channels.isComplete, channels.needsRetry]).toEqual([false, true]);
    channels.retry();
    expect(confirmAll(channels)).toEqual(['a']);
  });

  test('is ignored if it was released, and forgotten if it is unwanted before the retry', () => {
    const channels = inPlace('a', 'b', 'c');
    channels.reassign([], ['a']);
    expect([channels.dropped('a'), channels.isComplete]).toEqual([false, true]);
    channels.dropped('b');
    channels.unwant('b');
    expect([channels.needsRetry, channels.isComplete]).toEqual([false, true]);
  });

  test('costs a retry of all channels if it was released, then wanted and unwanted', () => {
    const channels = inPlace('a', 'b');
    channels.reassign([], ['b']);
    channels.want('b');
    channels.unwant('b');
    expect([channels.dropped('b'), channels.isComplete]).toEqual([true, false]);
    expect([channels.retry(), confirmAll(channels)]).toEqual([true, ['a']]);
  });

  test('costs a retry of all channels if it is neither desired nor released', () => {
    const channels = inPlace('a', 'b');
    channels.unwant('b');
    expect([channels.dropped('b'), channels.isComplete]).toEqual([true, false]);
    expect([channels.retry(), confirmAll(channels)]).toEqual([true, ['a']]);
  });
});

test('when confirmations are lost, all channels are subscribed again, also those of the current batch', () => {
  const channels = inPlace('a');
  channels.reassign(['b'], []);
  const batch = nextBatch(channels);
  channels.confirmationsLost();
  expect(channels.retry()).toBe(true);
  channels.confirmed(batch);
  expect(channels.isComplete).toBe(false);
  expect(confirmAll(channels)).toEqual(['a', 'b']);
});

test('after MOVED, the channels of the command and the queued ones wait for the retry', () => {
  const channels = new ChannelReconciler(['a']);
  channels.opened();
  const batch = nextBatch(channels);
  channels.reassign(['b'], []);
  channels.moved(batch);
  expect([channels.nextBatch(), channels.isComplete]).toEqual([undefined, false]);
  expect([channels.retry(), confirmAll(channels)]).toEqual([false, ['a', 'b']]);
});

describe('against a simulated server, with any events in any order', () => {
  const NAMES = ['a', 'b', 'c', 'd'];
  const answerEverything = (subscriber: SimulatedSubscriber) => {
    while (subscriber.execute() || subscriber.deliver() || subscriber.settle());
  };
  type Step = (subscriber: SimulatedSubscriber, name: string) => unknown;
  const STEPS: readonly (readonly [weight: number, step: Step])[] = [
    [3, (subscriber, name) => subscriber.want(name)],
    [2, (subscriber, name) => subscriber.unwant(name)],
    [2, (subscriber, name) => subscriber.moveSlot(name)],
    [2, (subscriber) => subscriber.refresh()],
    [2, (subscriber) => subscriber.retry()],
    [1, (subscriber) => subscriber.open()],
    [1, (subscriber) => subscriber.close()],
    [6, (subscriber) => subscriber.execute()],
    [6, (subscriber) => subscriber.deliver()],
    [6, (subscriber) => subscriber.settle()],
    [3, (subscriber) => answerEverything(subscriber)],
  ];
  const step = fc.oneof(...STEPS.map(([weight, run]) => ({ weight, arbitrary: fc.constant(run) })));
  const steps = fc.array(fc.tuple(step, fc.constantFrom(...NAMES)), { maxLength: 60, size: 'max' });

  /** The node learns of everything, and nothing new happens. */
  function finish(subscriber: SimulatedSubscriber): void {
    subscriber.open();
    subscriber.refresh();
    for (let retries = 0; retries < 100; retries++) {
      answerEverything(subscriber);
      if (!subscriber.retry()) return;
    }
    throw new Error('The channels are retried without end.');
  }

  test('it is never complete while a desired channel is missing, and ends with the desired channels', () => {
    fc.assert(
      fc.property(steps, (run) => {
        const subscriber = new SimulatedSubscriber(NAMES);
        subscriber.open();
        const expectHonest = () => {
          if (subscriber.isInformed && subscriber.channels.isComplete) expect(subscriber.missing).toEqual([]);
        };
        for (const [act, name] of run) {
          act(subscriber, name);
          expectHonest();
        }
        finish(subscriber);
        expectHonest();
        expect(subscriber.channels.isComplete).toBe(true);
        // A released channel whose slot comes back before its SUBSCRIBE is executed stays subscribed; its messages are ignored.
        const actual = [...subscriber.actual].filter(
          (name) => subscriber.desired.has(name) || !subscriber.everReleased.has(name),
        );
        expect(actual.sort()).toEqual([...subscriber.desired].sort());
      }),
      { numRuns: 400 },
    );
  });
});
