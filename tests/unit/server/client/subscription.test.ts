/** The state machine of a subscription: duplicates, gaps, losses, and its invariant under random interleavings. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SubscriptionMachine } from '../../../../server/client/subscription.ts';
import type { Message, Subscribed } from '../../../../server/protocol/messages.ts';

const channel = 'room:42';

function message(offset: number): Message {
  return { type: 'message', channel, offset, id: `m${offset}`, sender: 'ada', data: offset, created_at: '' };
}

function subscribed(id: string | undefined, offset: number, more: Partial<Subscribed> = {}): Subscribed {
  const frame: Subscribed = {
    type: 'subscribed',
    channel,
    epoch: 'e1',
    offset,
    top: offset,
    recovered: false,
    ...more,
  };
  return id === undefined ? frame : { ...frame, id };
}

function live(offset: number): SubscriptionMachine {
  const machine = new SubscriptionMachine(channel);
  machine.ask('1');
  machine.subscribed(subscribed('1', offset));
  return machine;
}

describe('SubscriptionMachine', () => {
  test('subscribes without a position first, and later with the position that it reached', () => {
    const machine = new SubscriptionMachine(channel);
    expect(machine.ask('1')).toEqual({ type: 'subscribe', id: '1', channel });
    machine.subscribed(subscribed('1', 7));
    machine.message(message(8));
    machine.down();
    expect(machine.ask('2')).toEqual({ type: 'subscribe', id: '2', channel, recover: { epoch: 'e1', offset: 8 } });
  });

  test('starts with the position that the application passes', () => {
    const machine = new SubscriptionMachine(channel, { epoch: 'e0', offset: 3 });
    expect(machine.ask('1')).toMatchObject({ recover: { epoch: 'e0', offset: 3 } });
  });

  test('drops duplicates, delivers the next offset, and detects a gap', () => {
    const machine = live(7);
    expect(machine.message(message(7))).toBe('duplicate');
    expect(machine.message(message(8))).toBe('deliver');
    expect(machine.message(message(8))).toBe('duplicate');
    expect(machine.message(message(10))).toBe('gap');
    expect(machine.position).toEqual({ epoch: 'e1', offset: 8 });
    expect(machine.stats).toMatchObject({ delivered: 1, duplicates: 2, gaps: 1 });
  });

  test('after a gap, unsubscribes, subscribes from its position, and ignores messages in between', () => {
    const machine = live(7);
    machine.message(message(9));
    expect(machine.ask('2')).toEqual({ type: 'unsubscribe', id: '2', channel });
    expect(machine.message(message(8))).toBe('ignore');
    expect(machine.unsubscribed({ type: 'unsubscribed', id: '2', channel })).toBe('ask');
    expect(machine.ask('3')).toMatchObject({ type: 'subscribe', recover: { epoch: 'e1', offset: 7 } });
    expect(machine.message(message(8))).toBe('ignore');
    expect(machine.subscribed(subscribed('3', 7, { recovered: true, top: 9 }))?.info.recovered).toBe(true);
    expect(machine.message(message(8))).toBe('deliver');
  });

  test('accepts a recovery that begins earlier and drops the duplicates', () => {
    const machine = live(7);
    machine.down();
    machine.ask('2');
    const verdict = machine.subscribed(subscribed('2', 5, { recovered: true, top: 8 }));
    expect(verdict?.loss).toBeUndefined();
    expect([6, 7, 8].map((offset) => machine.message(message(offset)))).toEqual(['duplicate', 'duplicate', 'deliver']);
  });

  test.each(['epoch_changed', 'history_expired', 'position_ahead'] as const)('reports the loss: %s', (reason) => {
    const machine = live(7);
    machine.down();
    machine.ask('2');
    const verdict = machine.subscribed(subscribed('2', 3, { epoch: 'e2', reason }));
    expect(verdict?.loss).toEqual({
      channel,
      reason,
      from: { epoch: 'e1', offset: 7 },
      to: { epoch: 'e2', offset: 3 },
    });
    expect(machine.message(message(4))).toBe('deliver');
  });

  test('reports a recovery that begins too late as a loss', () => {
    const machine = live(7);
    machine.down();
    machine.ask('2');
    const verdict = machine.subscribed(subscribed('2', 9, { recovered: true }));
    expect(verdict).toMatchObject({ loss: { reason: 'unexplained' }, info: { recovered: false } });
  });

  test('reports history lost under a live subscription, but not a redundant subscribed frame', () => {
    const machine = live(7);
    expect(machine.subscribed(subscribed(undefined, 7))).toBeNull();
    const verdict = machine.subscribed(subscribed(undefined, 20, { reason: 'history_expired' }));
    expect(verdict?.loss?.reason).toBe('history_expired');
    expect(machine.position).toEqual({ epoch: 'e1', offset: 20 });
  });

  test('ignores replies to older commands', () => {
    const machine = live(7);
    machine.down();
    machine.ask('2');
    expect(machine.subscribed(subscribed('1', 99))).toBeNull();
    expect(machine.refused('1', 'forbidden', false)).toBe('ignore');
    expect(machine.phase).toBe('asked');
  });

  test('retries temporary refusals, fails on permanent ones, and unsubscribes after already_subscribed', () => {
    const machine = new SubscriptionMachine(channel);
    machine.ask('1');
    expect(machine.refused('1', 'unavailable', true)).toBe('later');
    machine.ask('2');
    expect(machine.refused('2', 'already_subscribed', false)).toBe('ask');
    expect(machine.ask('3')).toMatchObject({ type: 'unsubscribe' });
    expect(machine.refused('3', 'not_subscribed', false)).toBe('ask');
    expect(machine.ask('4')).toMatchObject({ type: 'subscribe' });
    expect(machine.refused('4', 'forbidden', false)).toBe('fail');
  });

  test('subscribes again when the server ended the subscription', () => {
    const machine = live(7);
    expect(machine.unsubscribed({ type: 'unsubscribed', channel })).toBe('later');
    expect(machine.ask('2')).toMatchObject({ type: 'subscribe', recover: { epoch: 'e1', offset: 7 } });
  });

  test('delivers each offset once and in order under any duplication, reordering, loss and reconnect', () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ do: fc.constant('append' as const) }) },
      // Delivers the frame in flight at this index: 0 keeps the order, more reorders.
      { weight: 8, arbitrary: fc.record({ do: fc.constant('deliver' as const), skip: fc.nat(3) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('duplicate' as const), at: fc.nat(5) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('drop' as const), at: fc.nat(5) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('reconnect' as const) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), fc.nat(20), fc.nat(5), (steps, before, rewind) => {
        const world = new World(before, rewind);
        for (const step of steps) world.take(step);
        // Finally the network is reliable. No message may be missing then.
        world.reconnect();
        world.settle();
        expect(world.seen).toEqual(Array.from({ length: world.top - before }, (_, index) => before + 1 + index));
        expect(world.losses).toBe(0);
      }),
      { numRuns: 2_000 },
    );
  });
});

type Step = { do: 'append' | 'reconnect' } | { do: 'deliver'; skip: number } | { do: 'duplicate' | 'drop'; at: number };

type WireFrame = Message | Subscribed | { type: 'unsubscribed'; channel: string; id: string };

/** A server with one channel, a network that may lose, duplicate and reorder messages, and the state machine. */
class World {
  readonly seen: number[] = [];
  losses = 0;
  top: number;
  readonly #rewind: number;
  readonly #machine = new SubscriptionMachine(channel);
  #wire: WireFrame[] = [];
  #following = false;
  #lastId = 0;

  /** @param rewind offsets before the requested position at which the server begins the replay, which the protocol allows */
  constructor(top: number, rewind: number) {
    this.top = top;
    this.#rewind = rewind;
    this.#ask();
    this.settle();
  }

  take(step: Step): void {
    if ('skip' in step) this.deliver(step.skip);
    else if ('at' in step) this[step.do](step.at);
    else this[step.do]();
  }

  append(): void {
    this.top += 1;
    if (this.#following) this.#wire.push(message(this.top));
  }

  deliver(skip: number): void {
    const at = Math.min(skip, this.#wire.length - 1);
    // Only messages are reordered: the client recognises the current subscription by its reply.
    const [frame] = this.#wire.splice(this.#wire[at]?.type === 'message' ? at : 0, 1);
    if (frame) this.#receive(frame);
  }

  duplicate(at: number): void {
    const frame = this.#wire[at];
    if (frame?.type === 'message') this.#wire.splice(at, 0, frame);
  }

  drop(at: number): void {
    if (this.#wire[at]?.type === 'message') this.#wire.splice(at, 1);
  }

  reconnect(): void {
    this.#wire = [];
    this.#following = false;
    this.#machine.down();
    this.#ask();
  }

  settle(): void {
    for (let frame = this.#wire.shift(); frame; frame = this.#wire.shift()) this.#receive(frame);
  }

  #ask(): void {
    const command = this.#machine.ask(String(++this.#lastId));
    if (command?.type === 'unsubscribe') {
      this.#following = false;
      this.#wire.push({ type: 'unsubscribed', channel, id: String(command.id) });
    } else if (command?.type === 'subscribe') {
      const from = command.recover?.offset;
      const offset = from === undefined ? this.top : Math.max(0, from - this.#rewind);
      const more = { top: this.top, recovered: from !== undefined };
      this.#wire.push(subscribed(String(command.id), offset, more));
      for (let next = offset + 1; next <= this.top; next++) this.#wire.push(message(next));
      this.#following = true;
    }
  }

  #receive(frame: WireFrame): void {
    if (frame.type === 'message') {
      const verdict = this.#machine.message(frame);
      if (verdict === 'deliver') this.seen.push(frame.offset);
      else if (verdict === 'gap') this.#ask();
    } else if (frame.type === 'subscribed') {
      if (this.#machine.subscribed(frame)?.loss) this.losses += 1;
    } else if (this.#machine.unsubscribed(frame) === 'ask') this.#ask();
  }
}
