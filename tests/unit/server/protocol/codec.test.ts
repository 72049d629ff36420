/** The codec never throws, names what is wrong, and writes JSON that parses to the same values. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeHistoryMessage, encodeMessage, parseCommand } from '../../../../server/protocol/codec.ts';
import type { Message } from '../../../../server/protocol/messages.ts';

const VALID: Record<string, object> = {
  auth: { type: 'auth', token: 'x' },
  subscribe: { type: 'subscribe', id: '1', channel: 'room:42', recover: { epoch: 'e', offset: 0 } },
  unsubscribe: { type: 'unsubscribe', channel: 'room:42' },
  publish: { type: 'publish', id: '1', channel: 'a', data: { any: ['thing', null] }, client_msg_id: 'k!' },
  typing_start: { type: 'typing_start', channel: 'a' },
  typing_stop: { type: 'typing_stop', channel: 'a' },
  presence: { type: 'presence', id: '1', channel: 'a' },
  ping: { type: 'ping' },
  pong: { type: 'pong' },
};

describe('parseCommand', () => {
  for (const [type, command] of Object.entries(VALID)) {
    test(`${type} is accepted, and refused with an unknown field`, () => {
      expect(parseCommand(JSON.stringify(command))).toEqual({ ok: true, command });
      const parsed = parseCommand(JSON.stringify({ ...command, id: 'the-id', surprise: 1 }));
      expect(parsed).toMatchObject({ ok: false, id: 'the-id', message: expect.stringContaining(type) });
    });
  }

  test.each([
    [{ type: 'publish', channel: 'a', data: 1 }, /required property 'id'/],
    [{ type: 'publish', id: '1', channel: 'a' }, /required property 'data'/],
    [{ type: 'publish', id: '1', channel: '', data: 1 }, /channel/],
    [{ type: 'publish', id: '1', channel: 'a\nb', data: 1 }, /channel/],
    [{ type: 'publish', id: '1', channel: 'c'.repeat(129), data: 1 }, /channel/],
    [{ type: 'publish', id: '1', channel: 'ä', data: 1 }, /channel/],
    [{ type: 'publish', id: '1', channel: 'a', data: 1, client_msg_id: 'with space' }, /client_msg_id/],
    [{ type: 'subscribe', channel: 'a', recover: { epoch: 'e', offset: -1 } }, /recover\.offset/],
    [{ type: 'subscribe', channel: 'a', recover: { epoch: 'e', offset: 1.5 } }, /recover\.offset/],
    [{ type: 'subscribe', channel: 'a', recover: { epoch: 'e', offset: 2 ** 53 } }, /recover\.offset/],
    [{ type: 'subscribe', channel: 'a', recover: { offset: 1 } }, /epoch/],
    [{ type: 'constructor' }, /Unknown command type/],
    [[], /JSON object/],
    [null, /JSON object/],
  ])('%j is refused with its reason', (value, message) => {
    expect(parseCommand(JSON.stringify(value))).toMatchObject({ ok: false, message: expect.stringMatching(message) });
  });

  test('every random text gives a result and no exception', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(typeof parseCommand(text).ok).toBe('boolean');
      }),
    );
  });
});

test('a message parses to the same values with any sender and data', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.integer({ min: 1 }),
      fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }),
      (sender, data, offset, date) => {
        const stored = { offset, id: 'id', sender, data, createdAt: date.getTime() };
        const text = encodeMessage('room:42', stored);
        expect(text).not.toContain('\n');
        const { type, ...message } = JSON.parse(text) as Message;
        expect(type).toBe('message');
        expect(JSON.parse(encodeHistoryMessage('room:42', stored))).toEqual(message);
        expect(message).toEqual({
          channel: 'room:42',
          offset,
          id: 'id',
          sender,
          data: JSON.parse(data),
          created_at: date.toISOString(),
        });
      },
    ),
  );
});
