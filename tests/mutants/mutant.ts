/** What a mutant is, and where it applies. Pure. */

/** A known bug, and the tests that must fail while it is in the sources. */
export interface Mutant {
  /** The promise that the bug breaks. */
  readonly part: string;
  readonly bug: string;
  /** Path from the root of the checkout. */
  readonly file: string;
  /** Text that occurs exactly once in the file, so that the bug cannot miss its place. */
  readonly find: string;
  readonly replace: string;
  /** What Jest runs: part of a path. */
  readonly tests: string;
  /** Part of the full name of a test, where one test is enough. Jest reads it as a regular expression. */
  readonly name?: string;
}

/**
 * The source with the bug in it.
 * @throws Error when `find` does not occur exactly once in `source`
 */
export function applyMutant({ bug, file, find, replace }: Mutant, source: string): string {
  const places = source.split(find).length - 1;
  if (places !== 1) throw new Error(`Mutant "${bug}": its text occurs ${places} times in ${file}, not once: ${find}`);
  return source.replace(find, () => replace);
}
