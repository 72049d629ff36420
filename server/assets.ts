/**
 * Where the files that are not code lie. This module sits at the root of `server/` in the sources and its bundle at the
 * root of `dist/server/`, and the build copies assets to the same relative places, so one rule serves both.
 */
import { join } from 'node:path';

/** Path of an asset, given relative to `server/`. */
export function assetPath(relative: string): string {
  return join(import.meta.dirname, relative);
}
