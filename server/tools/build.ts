/**
 * Turns the sources into what runs: `npm run build`, and the first step of `npm start` and of the tests. Owns the
 * list of bundles and copied assets. Never type-checks (that is `npm run typecheck`) and never empties `dist/`: every
 * file is replaced by a rename, so that running nodes and a second build at the same time are safe.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type BuildOptions, build as bundle } from 'esbuild';

const SERVER = join(import.meta.dirname, '..');
const ROOT = join(SERVER, '..');
const DIST = join(ROOT, 'dist');

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

const NODE: BuildOptions = {
  platform: 'node',
  target: 'node20',
  packages: 'external',
  sourcemap: true,
  define: { HOLDFAST_VERSION: JSON.stringify(version) },
};
const BROWSER: BuildOptions = { platform: 'browser', target: 'es2022', sourcemap: true };

interface Bundle {
  /** Relative to `server/`. */
  readonly from: string;
  /** Relative to `dist/`. */
  readonly to: string;
  readonly options: BuildOptions;
}

const BUNDLES: readonly Bundle[] = [
  { from: 'main.ts', to: 'server/main.js', options: NODE },
  { from: 'probe/main.ts', to: 'server/probe/main.js', options: NODE },
  { from: 'client/node.ts', to: 'client/node.js', options: NODE },
  { from: 'client/browser.ts', to: 'client/browser.js', options: BROWSER },
  // For the demo page, which serves this file alone and so has no use for a reference to a source map.
  { from: 'client/browser.ts', to: 'server/public/client.js', options: { ...BROWSER, sourcemap: false } },
];

/** Directories whose files are read at run time: copied to the same place below `dist/server/`. */
const ASSETS: readonly { readonly directory: string; readonly extension: string }[] = [
  { directory: 'history/migrations', extension: '.sql' },
  { directory: 'public', extension: '' },
];

/**
 * Builds everything into `dist/`, in well under a second.
 * @throws esbuild's BuildFailure, which names file and line, when a source does not parse or resolve
 */
export async function build(): Promise<void> {
  await Promise.all([...BUNDLES.map(writeBundle), ...ASSETS.map(copyAssets)]);
}

async function writeBundle({ from, to, options }: Bundle): Promise<void> {
  const { outputFiles } = await bundle({
    entryPoints: [join(SERVER, from)],
    absWorkingDir: ROOT,
    outfile: join(DIST, to),
    bundle: true,
    format: 'esm',
    logLevel: 'silent',
    ...options,
    write: false,
  });
  for (const { path, contents } of outputFiles) await replaceFile(path, contents);
}

async function copyAssets({ directory, extension }: (typeof ASSETS)[number]): Promise<void> {
  const entries = await readdir(join(SERVER, directory), { withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile() || !entry.name.endsWith(extension)) continue;
    await replaceFile(join(DIST, 'server', directory, entry.name), await readFile(join(SERVER, directory, entry.name)));
  }
}

/** Readers see the old file or the new one, never a part. */
async function replaceFile(path: string, contents: Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  await mkdir(dirname(path), { recursive: true });
  try {
    await writeFile(temporary, contents);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const started = performance.now();
  try {
    await build();
    console.log(`Built dist/ in ${Math.round(performance.now() - started)} ms.`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
