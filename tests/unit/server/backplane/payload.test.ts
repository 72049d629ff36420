/** The format of payloads on Redis: decoding reverses encoding, and rejects every other payload without an exception. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodePayload, encodeBatch, encodeEvent, encodePresenceHint } from '../../../../server/backplane/payload.ts';

test('decoding a batch, an event or a hint returns what was encoded', () => {
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

test('every other payload decodes to undefined', () => {
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
