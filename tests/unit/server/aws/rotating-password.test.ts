/** A rotating password is read once for concurrent connections, cached, and reused while the secret cannot be read. */
import { expect, test } from '@jest/globals';
import { createRotatingPassword, PASSWORD_CACHED_MS } from '../../../../server/aws/rotating-password.ts';

function setUp() {
  const state = { answer: '{"username":"holdfast","password":"one"}' as string | Error, now: 0, reads: 0 };
  const stale: unknown[] = [];
  const password = createRotatingPassword({
    read: async () => {
      state.reads += 1;
      if (state.answer instanceof Error) throw state.answer;
      return state.answer;
    },
    onStale: (error) => stale.push(error),
    now: () => state.now,
  });
  return { state, stale, password };
}

test('connections that open together cause one read', async () => {
  const { state, password } = setUp();
  expect(await Promise.all([password(), password(), password()])).toEqual(['one', 'one', 'one']);
  expect(await password()).toBe('one');
  expect(state.reads).toBe(1);
});

test('a new password is read when the cache time of the old one is over', async () => {
  const { state, password } = setUp();
  await password();
  state.answer = '{"password":"two"}';
  state.now = PASSWORD_CACHED_MS - 1;
  expect(await password()).toBe('one');
  state.now = PASSWORD_CACHED_MS;
  expect(await password()).toBe('two');
});

test('while the secret cannot be read, the last password is used and onStale is called', async () => {
  const { state, stale, password } = setUp();
  await password();
  state.now = PASSWORD_CACHED_MS;
  state.answer = new Error('away');
  expect(await password()).toBe('one');
  expect(stale).toHaveLength(1);
  state.answer = '{"password":"two"}';
  expect(await password()).toBe('two');
});

test.each([
  ['the secret was never readable', new Error('away'), /away/],
  ['the secret is not JSON', 'hunter2', /is not JSON/],
  ['the secret has no password', '{"username":"holdfast","pass":"hunter2"}', /has no password/],
])('%s: the error contains no part of the secret', async (_what, answer, message) => {
  const { state, password } = setUp();
  state.answer = answer;
  const error = (await password().catch((caught: unknown) => caught)) as Error;
  expect(error.message).toMatch(message);
  expect(error.message).not.toContain('hunter2');
});
