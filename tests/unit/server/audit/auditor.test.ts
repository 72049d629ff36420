/** The auditor counts exactly the injected losses, duplicates, reorderings, altered messages and false acknowledgements. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Auditor } from '../../../../server/audit/auditor.ts';
import type { AuditedMessage } from '../../../../server/audit/channel-audit.ts';
import type { Message, Subscribed } from '../../../../server/protocol/messages.ts';

/** A history in memory, read in pages like the history over HTTP. */
class FakeHistory {
  epoch = 'e1';
  firstKept = 1;
  reads = 0;
  readonly messages: AuditedMessage[] = [];

  add(count: number): void {
    for (let i = 0; i < count; i++) {
      const offset = this.messages.length + 1;
      this.messages.push({ offset, id: `${this.epoch}-${offset}`, data: { n: offset } });
    }
  }

  readonly source = async (_channel: string, after: number) => {
    this.reads++;
    const messages = this.messages.slice(after, after + 1_000).filter(({ offset }) => offset >= this.firstKept);
    return { epoch: this.epoch, top: this.messages.length, messages };
  };

  message(offset: number): Message {
    const message = this.messages[offset - 1] as AuditedMessage;
    return { type: 'message', channel: 'c', sender: 'ada', created_at: new Date().toISOString(), ...message };
  }
}

function setUp({ graceMs = 1_000 } = {}) {
  const history = new FakeHistory();
  const clock = { time: 0 };
  const auditor = new Auditor({ history: history.source, graceMs, now: () => clock.time });
  return { history, clock, auditor };
}

const subscribedAt = (offset: number, more: Partial<Subscribed> = {}): Subscribed => ({
  type: 'subscribed',
  channel: 'c',
  epoch: 'e1',
  offset,
  top: offset,
  recovered: false,
  ...more,
});

type Fate = 'delivered' | 'dropped' | 'doubled' | 'held';

/** Offsets in the order of their arrival. A held message arrives after a few that follow it. */
function arrivals(fates: readonly Fate[], begin: number): number[] {
  const held: number[] = [];
  const deliveries = fates.flatMap((fate, index) => {
    const offset = begin + index + 1;
    if (fate === 'held') held.push(offset);
    const now = { delivered: [offset], doubled: [offset, offset], dropped: [], held: [] }[fate];
    const late = index % 7 === 6 ? held.splice(0) : [];
    return [...now, ...late];
  });
  return [...deliveries, ...held];
}

/** Counts a sequence of deliveries directly by the definitions. */
function count(deliveries: readonly number[], published: number) {
  const seen = new Set(deliveries);
  const firsts = deliveries.filter((offset, index) => deliveries.indexOf(offset) === index);
  const reordered = firsts.filter((offset, index) => firsts.slice(0, index).some((earlier) => earlier > offset)).length;
  return {
    lost: published - seen.size,
    duplicated: deliveries.length - firsts.length,
    reordered,
    inOrder: firsts.length - reordered,
  };
}

describe('injected faults are counted exactly', () => {
  test('without faults there is no finding', async () => {
    const { history, auditor } = setUp();
    history.add(2_500);
    const receiver = auditor.receiver('r1');
    receiver.subscribed(subscribedAt(0));
    for (let offset = 1; offset <= 2_500; offset++) receiver.message(history.message(offset));
    await auditor.follow();
    expect(auditor.isComplete).toBe(true);
    expect(await auditor.close()).toMatchObject({
      inOrder: 2_500,
      ...{ lost: 0, duplicated: 0, reordered: 0, late: 0, altered: 0, unstored: 0, declaredLost: 0, unchecked: 0 },
      ...{ receivers: 1, channels: 1, findings: [] },
    });
  });

  test('any number of losses, duplicates and reorderings, in any order of events', async () => {
    // Each message is delivered, dropped, duplicated, or held until some later ones have arrived.
    const fate = fc.oneof(
      { weight: 6, arbitrary: fc.constant('delivered' as const) },
      fc.constantFrom('dropped' as const, 'doubled' as const, 'held' as const),
    ) satisfies fc.Arbitrary<Fate>;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fate, { minLength: 1, maxLength: 60, size: 'max' }),
        fc.nat({ max: 20 }),
        async (fates, begin) => {
          const { history, auditor } = setUp();
          history.add(begin + fates.length);
          const receiver = auditor.receiver('r');
          receiver.subscribed(subscribedAt(begin));
          const deliveries = arrivals(fates, begin);
          for (const [index, offset] of deliveries.entries()) {
            receiver.message(history.message(offset));
            if (index % 7 === 6) await auditor.follow();
          }
          const expected = count(deliveries, fates.length);
          expect(await auditor.close()).toMatchObject({
            ...expected,
            altered: 0,
            late: 0,
            declaredLost: 0,
            unchecked: 0,
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  test('a message that differs from the history, received before or after the history is read', async () => {
    const { history, auditor } = setUp();
    history.add(3);
    const [early, late] = [auditor.receiver('early'), auditor.receiver('late')];
    for (const receiver of [early, late]) receiver.subscribed(subscribedAt(0));
    const wrong = { ...history.message(2), data: { n: 'changed' } };
    const other = { ...history.message(3), id: 'another' };
    for (const message of [history.message(1), wrong, other]) early.message(message);
    await auditor.follow();
    for (const message of [history.message(1), wrong, history.message(3)]) late.message(message);
    late.message({ ...history.message(3), offset: 4 });
    const report = await auditor.close();
    expect(report).toMatchObject({ altered: 4, lost: 0, duplicated: 0 });
    expect(report.findings.map(({ kind, first }) => `${kind} ${first}`)).toEqual([
      'altered 2',
      'altered 3',
      'altered 2',
      'altered 4',
    ]);
  });

  test('acknowledgements that the history contradicts', async () => {
    const { history, auditor } = setUp();
    history.add(3);
    auditor.acknowledged('c', { epoch: 'e1', offset: 1 }, { n: 1 });
    auditor.acknowledged('c', { epoch: 'e1', offset: 2 }, { n: 'not what is stored' });
    await auditor.follow();
    auditor.acknowledged('c', { epoch: 'e1', offset: 3 }, { n: 'nor this' });
    auditor.acknowledged('c', { epoch: 'e1', offset: 4 }, { n: 4 });
    expect(await auditor.close()).toMatchObject({ acknowledged: 4, unstored: 3 });
  });
});

describe('when something counts as lost', () => {
  test('only after the grace period; what arrives later counts as late, and still as lost', async () => {
    const { history, clock, auditor } = setUp({ graceMs: 1_000 });
    const receiver = auditor.receiver('r');
    receiver.subscribed(subscribedAt(0));
    history.add(3);
    receiver.message(history.message(1));
    receiver.message(history.message(3));
    await auditor.follow();
    clock.time = 999;
    await auditor.follow();
    expect(auditor.report().lost).toBe(0);
    expect(auditor.isComplete).toBe(false);
    clock.time = 1_000;
    await auditor.follow();
    expect(auditor.report()).toMatchObject({ lost: 1, findings: [{ kind: 'lost', receiver: 'r', first: 2, last: 2 }] });
    receiver.message(history.message(2));
    expect(await auditor.close()).toMatchObject({ lost: 1, late: 1, duplicated: 0, reordered: 0 });
  });

  test('a disconnected receiver loses nothing until it is back, and should then get everything', async () => {
    const { history, clock, auditor } = setUp();
    const receiver = auditor.receiver('r');
    receiver.subscribed(subscribedAt(0));
    receiver.disconnected();
    history.add(5);
    await auditor.follow();
    clock.time = 60_000;
    await auditor.follow();
    expect(auditor.report().lost).toBe(0);
    expect(receiver.position('c')).toEqual({ epoch: 'e1', offset: 0 });
    receiver.subscribed(subscribedAt(0, { recovered: true, top: 5 }));
    for (const offset of [1, 2, 3]) receiver.message(history.message(offset));
    expect(await auditor.close()).toMatchObject({ inOrder: 3, lost: 2 });
  });

  test('when a server says recovered but continues later, the messages between are lost', async () => {
    const { history, auditor } = setUp();
    const receiver = auditor.receiver('r');
    receiver.subscribed(subscribedAt(0));
    history.add(5);
    receiver.disconnected();
    receiver.subscribed(subscribedAt(3, { recovered: true, top: 5 }));
    receiver.message(history.message(4));
    receiver.message(history.message(5));
    expect(await auditor.close()).toMatchObject({ lost: 3, declaredLost: 0 });
  });

  test('declared losses do not count as lost; recovered: true in another epoch is a false recovery', async () => {
    const { history, auditor } = setUp();
    const [informed, misled] = [auditor.receiver('informed'), auditor.receiver('misled')];
    for (const receiver of [informed, misled]) receiver.subscribed(subscribedAt(0));
    history.add(10);
    informed.message(history.message(1));
    informed.subscribed(subscribedAt(8, { recovered: false, reason: 'history_expired' }));
    for (const offset of [9, 10]) informed.message(history.message(offset));
    expect(auditor.report()).toMatchObject({ declaredLost: 7, inOrder: 3 });
    history.epoch = 'e2';
    informed.subscribed(subscribedAt(10, { epoch: 'e2', recovered: false, reason: 'epoch_changed' }));
    misled.subscribed(subscribedAt(10, { epoch: 'e2', recovered: true }));
    expect(await auditor.close()).toMatchObject({ falseRecoveries: 1, lost: 0, declaredLost: 7 });
  });

  test('expired messages are not compared, and reading skips them', async () => {
    const { history, auditor } = setUp();
    history.add(50_000);
    history.firstKept = 48_500;
    const receiver = auditor.receiver('r');
    receiver.subscribed(subscribedAt(45_000));
    receiver.message(history.message(45_001));
    await auditor.follow();
    expect(history.reads).toBeLessThan(10);
    expect(auditor.report()).toMatchObject({ altered: 0, unchecked: 1 });
  });
});

test('latency is from the commit to the first arrival', async () => {
  const { history, auditor } = setUp();
  history.add(2);
  const receiver = auditor.receiver('r');
  receiver.subscribed(subscribedAt(0));
  receiver.message({ ...history.message(1), created_at: new Date(Date.now() - 5_000).toISOString() });
  receiver.message(history.message(1));
  receiver.message({ ...history.message(2), created_at: new Date(Date.now() + 60_000).toISOString() });
  const { latencyMs } = auditor.report();
  expect(latencyMs.count).toBe(2);
  expect(latencyMs.p50).toBe(0);
  expect(latencyMs.max).toBeGreaterThan(4_900);
  expect(latencyMs.max).toBeLessThan(20_000);
});
