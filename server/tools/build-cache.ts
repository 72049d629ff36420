/** Builds the server unless `dist/server` is of these sources already: `npm start` and every test run ask for it. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, FINGERPRINT } from './build.ts';
import { replaceFile } from './output.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** @throws BuildFailure of esbuild, as `build` does */
export async function ensureBuilt(): Promise<void> {
  const current = await fingerprint();
  const built = await readFile(FINGERPRINT, 'utf8').catch(() => '');
  if (built === current) return;
  await build();
  // Last, so that an interrupted build is repeated.
  await replaceFile(FINGERPRINT, current);
}

/** Of everything that the build reads: the sources, the build itself, and the versions of the packages. */
async function fingerprint(): Promise<string> {
  const entries = await readdir(join(ROOT, 'server'), { recursive: true, withFileTypes: true });
  const sources = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const hash = createHash('sha256');
  for (const path of [...sources.sort(), join(ROOT, 'package.json'), join(ROOT, 'package-lock.json')])
    hash
      .update(path)
      .update('\0')
      .update(await readFile(path))
      .update('\0');
  return hash.digest('hex');
}
