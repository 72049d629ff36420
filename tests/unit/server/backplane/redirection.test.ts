/** Which errors are redirections, and to which address they lead. */
import { expect, test } from '@jest/globals';
import { isMoved, redirectionOf } from '../../../../server/backplane/redirection.ts';

test.each([
  ['MOVED 3999 127.0.0.1:6381', { kind: 'moved', address: '127.0.0.1:6381' }],
  ['ASK 3999 a.cache.example:6381', { kind: 'ask', address: 'a.cache.example:6381' }],
  ['MOVED 3999 fd00::1:6381', { kind: 'moved', address: 'fd00::1:6381' }],
  ['MOVED 3999 :6381', { kind: 'moved', address: 'fd00::2:6381' }],
  ['ERR MOVED 3999 127.0.0.1:6381', undefined],
  ['CLUSTERDOWN The cluster is down', undefined],
])('%s', (message, redirection) => {
  expect(redirectionOf(new Error(message), 'fd00::2:7000')).toEqual(redirection);
  expect(isMoved(new Error(message))).toBe(redirection?.kind === 'moved');
});

test('a value that is not an Error is no redirection', () => {
  expect(redirectionOf('MOVED 3999 127.0.0.1:6381', 'a:1')).toBeUndefined();
  expect(redirectionOf(undefined, 'a:1')).toBeUndefined();
});
