/** What a node knows of a channel before, and after, it has a tail. */
import { expect, test } from '@jest/globals';
import { Segment } from '../../../../server/hub/segment.ts';
import { TailState } from '../../../../server/hub/tail-state.ts';

const create = () => new TailState({ windowMessages: 10, windowBytes: 10_000, aheadMax: 100 });
const message = (offset: number) => Segment.fromTexts(offset, [String(offset)], [0]);

test('segments that arrive before the position is read are in the tail once it is', () => {
  const state = create();
  expect([state.offer('e1', message(6)), state.offer('e1', message(7))]).toEqual(['kept', 'kept']);
  expect(state.tail).toBeUndefined();
  expect(state.adopt({ epoch: 'e1', top: 5 })).toEqual(['hold', 'hold']);
  expect([state.tail?.flushed, state.tail?.top]).toEqual([5, 7]);
});

test('of too many early segments the oldest are dropped, which leaves a gap to be read', () => {
  const state = create();
  for (let offset = 1; offset <= 70; offset++) state.offer('e1', message(offset));
  state.adopt({ epoch: 'e1', top: 0 });
  expect(state.tail?.need).toEqual({ kind: 'missing', after: 0 });
  expect(state.tail?.known).toBe(70);
});

test('a segment of another epoch asks for the position and does not reach the tail', () => {
  const state = create();
  state.adopt({ epoch: 'e1', top: 5 });
  expect(state.offer('e2', message(6))).toBe('other-epoch');
  expect(state.tail?.known).toBe(5);
});

test('the same position read again reports a gap, and a later one does not lower the top', () => {
  const state = create();
  state.adopt({ epoch: 'e1', top: 5 });
  const { tail } = state;
  expect(state.adopt({ epoch: 'e1', top: 8 })).toEqual(['reload']);
  expect(state.adopt({ epoch: 'e1', top: 3 })).toEqual(['reload']);
  expect(state.tail).toBe(tail);
  expect([tail?.top, tail?.known]).toEqual([5, 8]);
});

test('another epoch begins a new tail, with the highest top that was noted for it', () => {
  const state = create();
  state.adopt({ epoch: 'e1', top: 5 });
  expect(state.noteTop({ epoch: 'e2', top: 3 })).toBe('other-epoch');
  expect(state.noteTop({ epoch: 'e2', top: 2 })).toBe('other-epoch');
  expect(state.adopt({ epoch: 'e2', top: 1 })).toEqual(['poll']);
  expect([state.tail?.epoch, state.tail?.top, state.tail?.known]).toEqual(['e2', 1, 3]);
});

test('a noted top of a third epoch asks for the position again', () => {
  const state = create();
  state.noteTop({ epoch: 'e3', top: 9 });
  expect(state.adopt({ epoch: 'e1', top: 5 })).toEqual(['other-epoch']);
  expect(state.tail?.known).toBe(5);
});
