/** Finds programs the way a shell does. Never runs or installs any. */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * The path of the first of these programs that is on the PATH, or undefined.
 * `sbin` is looked into beside every `bin`: Debian keeps nginx there, and ordinary users lack it in their PATH.
 */
export function findProgram(...names: readonly string[]): string | undefined {
  const bins = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const directories = [...bins, ...bins.map((bin) => bin.replace(/\/bin\/?$/, '/sbin'))];
  for (const name of names) {
    const path = directories.map((directory) => join(directory, name)).find(isExecutable);
    if (path !== undefined) return path;
  }
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
