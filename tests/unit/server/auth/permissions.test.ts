/** Channel patterns, with regular expressions as the oracle. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compilePermissions } from '../../../../server/auth/permissions.ts';

const may = (patterns: string[], channel: string, user = 'ada') =>
  compilePermissions({ subscribe: patterns }, user).maySubscribe(channel);

test('a channel is permitted if a pattern matches it, and forbidden otherwise', () => {
  expect(may(['room:42'], 'room:42')).toBe(true);
  expect(may(['room:42'], 'room:421')).toBe(false);
  expect(may(['room:*'], 'room:')).toBe(true);
  expect(may(['room:*'], 'xroom:1')).toBe(false);
  expect(may(['a*b*c'], 'abc')).toBe(true);
  expect(may(['a*bc*c'], 'abc')).toBe(false);
  expect(may([], 'room:42')).toBe(false);
  expect(compilePermissions({}, 'ada').mayPublish('room:42')).toBe(false);
  expect(compilePermissions({ subscribe: ['*'] }, 'ada').mayPublish('room:42')).toBe(false);
});

test('{user} stands for the name of the user', () => {
  expect(may(['inbox:{user}'], 'inbox:ada')).toBe(true);
  expect(may(['inbox:{user}'], 'inbox:ben')).toBe(false);
  expect(may(['{user}:*:{user}'], 'ada:1:ada')).toBe(true);
  expect(may(['{user}:*:{user}'], 'ada:1:ben')).toBe(false);
});

test('a user name never matches channels of another user: stars and replacement patterns in it are literal', () => {
  const names = ['*', '*ada', 'a*da', 'ada*', "ad$'a", 'ada$`', 'ad$&a', '$$ada', '{user}', 'ada{user}', 'ADA', ' ada'];
  for (const name of names) {
    expect([name, may(['inbox:{user}'], 'inbox:ada', name)]).toEqual([name, false]);
    expect([name, may(['inbox:{user}:x'], 'inbox:ada:x', name)]).toEqual([name, false]);
  }
  const name = fc.string({
    unit: fc.constantFrom('a', 'd', '*', '$', '`', "'", '&', '{', '}', '{user}'),
    maxLength: 6,
  });
  const channel = fc.string({ unit: fc.constantFrom('a', 'd'), maxLength: 4 });
  fc.assert(
    fc.property(name, channel, (user, other) => {
      expect([user, other, may(['{user}'], other, user)]).toEqual([user, other, user === other]);
    }),
    { numRuns: 2_000 },
  );
});

test('patterns match the same channels as equivalent regular expressions', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', ':', '.', '*'), maxLength: 8 });
  fc.assert(
    fc.property(
      letters,
      fc.string({ unit: fc.constantFrom('a', 'b', ':', '.'), maxLength: 10 }),
      (pattern, channel) => {
        const oracle = new RegExp(
          `^${pattern
            .split('*')
            .map((piece) => piece.replaceAll('.', '\\.'))
            .join('.*')}$`,
        );
        expect([pattern, channel, may([pattern], channel)]).toEqual([pattern, channel, oracle.test(channel)]);
      },
    ),
    { numRuns: 5_000 },
  );
});
