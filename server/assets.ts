/**
 * Finds files that are not code, such as migrations and the demo page. This module is at the root of `server/` and
 * its bundle at the root of `dist/server/`. The build copies assets to the same relative paths, so one rule serves
 * both.
 */
import { join } from 'node:path';

/** Absolute path of an asset. @param relative path from `server/` */
export function assetPath(relative: string): string {
  return join(import.meta.dirname, relative);
}
