/** The rules of error codes and close codes. */
import { expect, test } from '@jest/globals';
import { CLOSE_CODES, ERROR_CODES, shouldReconnect } from '../../../../server/protocol/codes.ts';

test('the range of a Holdfast close code gives whether to reconnect', () => {
  for (const { code, reconnect } of Object.values(CLOSE_CODES)) {
    if (code >= 4000) expect([code, reconnect]).toEqual([code, code < 4500]);
    expect(shouldReconnect(code)).toBe(reconnect);
  }
  expect(shouldReconnect(1006)).toBe(true);
  expect(shouldReconnect(4321)).toBe(true);
  expect(shouldReconnect(4999)).toBe(false);
});

test('no code is used twice, and an error is temporary exactly if its status is 5xx or 429', () => {
  const codes = Object.values(CLOSE_CODES).map((info) => info.code);
  expect(new Set(codes).size).toBe(codes.length);
  for (const info of Object.values(ERROR_CODES))
    expect(info.temporary).toBe(info.httpStatus >= 500 || info.httpStatus === 429);
});
