/** What goes over Redis: reads back as it was, and garbage is nothing. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodePayload, encodeBatch, encodeEvent, encodePresenceHint } from '../../../../server/backplane/payload.ts';

test('batches, events and hints read back as they were', () => {
  const word = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
  const positive = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(
      word,
      positive,
      positive,
      fc.nat(),
      fc.option(
        word.map((text) => `00-${text}`),
        { nil: undefined },
      ),
      fc.uint8Array({ minLength: 1 }),
      (epoch, first, count, createdAt, traceparent, bytes) => {
        const batch = { epoch, first, count, createdAt, traceparent, body: Buffer.from(bytes) };
        expect(decodePayload(encodeBatch(batch))).toEqual({ kind: 'messages', batch });
      },
    ),
  );
  fc.assert(
    fc.property(word, fc.json(), (node, json) => {
      expect(decodePayload(Buffer.from(encodeEvent(node, json)))).toEqual({ kind: 'event', node, json });
      expect(decodePayload(Buffer.from(encodePresenceHint(node)))).toEqual({ kind: 'presence', node });
    }),
  );
});

test('anything else is nothing, and no exception', () => {
  for (const text of [
    '',
    '\n',
    'm\n',
    'm e 1 1 0 -\n',
    'm e 0 1 0 -\nx',
    'm e 1 x 0 -\nx',
    'm e 1 1 0 - more\nx',
    'e\nx',
    'e a b\nx',
    'q a\nx',
    'm e 1 1 0 -',
  ]) {
    expect([text, decodePayload(Buffer.from(text))]).toEqual([text, undefined]);
  }
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodePayload(Buffer.from(bytes))));
});
