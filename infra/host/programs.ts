/** Finds programs on the PATH as a shell does. Never runs or installs one. */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Path of the first of these programs that is on the PATH, or undefined. Also searches the `sbin` beside every `bin`:
 * Debian installs nginx there, and the PATH of ordinary users lacks it.
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
