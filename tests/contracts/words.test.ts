/**
 * Every word of a file name and of an exported type name below server/ is defined in the table "Words" of server/README.md,
 * or is a general word of the list below. Every defined term is used below server/.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ROOT } from '../../infra/host/paths.ts';

/** Words of programming, of HTTP, Redis, Postgres and AWS, and plain English. A word with a meaning of its own here belongs in the table. */
const GENERAL = new Set(
  `
  access ack address after api app append appended assets audit audited auth authenticated authentication
  authenticator aws backoff beating browser build cache cause certificates claims client clock close cluster code
  codec committed config constructor context counts create credential database debounce decision definition delay
  delivery demo distinct dockerfile docs doubling emitter encodable end env error failure fetch file flushable
  frame handle handler health holdfast host http index info instruments intake integers ioredis json keeper key kind
  labels like limits listener loader log logger login loss machine main manifest method metric migrate migrations
  names need new next none of on once option order output package pane parsed parts password pending permissions pg
  piece ping platform pong pool postgres prepare process progress protocol pub public publishes publishing query
  queryable queue range reaction read reader readiness reason reassignment receiver recent reconciler reconnect
  reconnector redirection redis refresh refusal registration replayed reply report request result retries retry room
  root rotating routes running schemas scope secret service set settings socket source span state statement stats step
  store stored sub subject subscribe subscribed subscribers table task telemetry timer tools tracing tsconfig type
  typing unanswered unparsed unsubscribed use user validation values verify version watch web welcome workarounds
  workers writer written
`
    .trim()
    .split(/\s+/),
);

interface Named {
  readonly word: string;
  /** Where the word occurs: a path, or a path and a type. */
  readonly place: string;
}

/** Splits at hyphens, dots and changes of case: `RedisLinkOptions` becomes redis, link, options. */
const wordsOf = (name: string): string[] =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter(Boolean);

const singular = (word: string): string => word.replace(/s$/, '');

const SERVER = join(ROOT, 'server');
const SOURCES = readdirSync(SERVER, { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.(ts|js|sql|css|html)$/.test(path))
  .map((path) => ({ path, text: readFileSync(join(SERVER, path), 'utf8') }));

function namesIn({ path, text }: { readonly path: string; readonly text: string }): Named[] {
  const types = [...text.matchAll(/^export (?:abstract )?(?:class|interface|type) (\w+)/gm)].map(
    ([, name = '']) => name,
  );
  return [
    ...wordsOf(path.replace(/(\.d)?\.\w+$/, '')).map((word) => ({ word, place: path })),
    ...types.flatMap((type) => wordsOf(type).map((word) => ({ word, place: `${path}: ${type}` }))),
  ];
}

/** The first cells of the table, split at commas: each is one term. */
function definedTerms(): string[] {
  const section = /^## Words$([\s\S]*?)^## /m.exec(readFileSync(join(SERVER, 'README.md'), 'utf8'))?.[1] ?? '';
  const cells = [...section.matchAll(/^\| ([^|]+) \| [^|]+ \|$/gm)].map(([, cell = '']) => cell);
  return cells.slice(1).flatMap((cell) => cell.split(', '));
}

describe('words', () => {
  const terms = definedTerms();

  test('the table has terms', () => {
    expect(terms.length).toBeGreaterThan(40);
    expect(terms.filter((term, index) => terms.indexOf(term) !== index)).toEqual([]);
  });

  test('every word of a file name and of an exported type is defined or general', () => {
    const known = new Set([...GENERAL, ...terms.flatMap(wordsOf)].map(singular));
    const unknown = SOURCES.flatMap(namesIn).filter(({ word }) => !known.has(singular(word)));
    expect(unknown.map(({ word, place }) => `"${word}" in ${place}: define it in server/README.md, or rename`)).toEqual(
      [],
    );
  });

  test('every defined term is used', () => {
    const all = SOURCES.map(({ text }) => text).join('\n');
    const isUsed = (term: string) => new RegExp(term.split(/[ -]/).join('[-_ .]?'), 'i').test(all);
    expect(terms.filter((term) => !isUsed(term))).toEqual([]);
  });

  test('no general word is defined as well', () => {
    expect(terms.filter((term) => GENERAL.has(term))).toEqual([]);
  });
});
