/** What close codes promise. */
import { expect, test } from '@jest/globals';
import { CLOSE_CODES, ERROR_CODES, shouldReconnect } from '../../../../server/protocol/codes.ts';

test('the range of our own close codes says whether to reconnect', () => {
  for (const { code, reconnect } of Object.values(CLOSE_CODES)) {
    if (code >= 4000) expect([code, reconnect]).toEqual([code, code < 4500]);
    expect(shouldReconnect(code)).toBe(reconnect);
  }
  expect(shouldReconnect(1006)).toBe(true);
  expect(shouldReconnect(4321)).toBe(true);
  expect(shouldReconnect(4999)).toBe(false);
});

test('no code is used twice, and temporary errors are those a retry can help', () => {
  const codes = Object.values(CLOSE_CODES).map((info) => info.code);
  expect(new Set(codes).size).toBe(codes.length);
  for (const info of Object.values(ERROR_CODES))
    expect(info.temporary).toBe(info.httpStatus >= 500 || info.httpStatus === 429);
});
