/** Channel patterns, against regular expressions as the oracle. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compilePermissions } from '../../../server/auth/permissions.ts';

const may = (patterns: string[], channel: string, user = 'ada') =>
  compilePermissions({ subscribe: patterns }, user).maySubscribe(channel);

test('a pattern permits what it names, and what is not named is forbidden', () => {
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

test('{user} is the user, and a user named * is no wildcard', () => {
  expect(may(['inbox:{user}'], 'inbox:ada')).toBe(true);
  expect(may(['inbox:{user}'], 'inbox:ben')).toBe(false);
  expect(may(['inbox:{user}'], 'inbox:anything', '*')).toBe(false);
});

test('patterns agree with the regular expressions that they stand for', () => {
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
