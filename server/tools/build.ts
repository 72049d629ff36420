/**
 * Builds what runs: `npm run build`, and the first step of `npm start` and of the tests. Owns the list of bundles and
 * copied assets of the server; `client-package.ts` owns the package of the client.
 * Must never need a development dependency for the server, since the image builds it without them.
 */
import { readFileSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type BuildOptions, build as bundle } from 'esbuild';
import { buildClientPackage } from './client-package.ts';
import { replaceFile, type WrittenFile } from './output.ts';
import { withoutPackages } from './source-map.ts';

const SERVER = join(import.meta.dirname, '..');
const ROOT = join(SERVER, '..');
const DIST = join(ROOT, 'dist');

/** Holds the hash of the sources of `dist/server`; `build-cache.ts` writes it. A build removes it first, so it never describes other sources. */
export const FINGERPRINT = join(DIST, 'server', 'sources.sha256');

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<string, unknown>;

/** What packages in CommonJS use, and an ES module lacks. */
const COMMONJS = [
  "import { createRequire as createRequireOfBundle } from 'node:module';",
  'const require = createRequireOfBundle(import.meta.url);',
  'const { filename: __filename, dirname: __dirname } = import.meta;',
].join('\n');

/** The packages are part of the bundle: see `decisions/0014-bundled-packages.md`. */
const NODE: BuildOptions = {
  platform: 'node',
  target: 'node20',
  // Optional packages that pg and debug do without: the image does not have them, and the bundle should be the same everywhere.
  external: ['pg-native', 'supports-color'],
  banner: { js: COMMONJS },
  sourcemap: true,
  // Positions are enough for a stack trace.
  sourcesContent: false,
  // The image has the licence of each package as a file.
  legalComments: 'none',
  define: { HOLDFAST_VERSION: JSON.stringify(manifest.version) },
};

interface Bundle {
  /** Relative to `server/`. */
  readonly from: string;
  /** Relative to `dist/server/`. */
  readonly to: string;
  readonly options: BuildOptions;
}

const BUNDLES: readonly Bundle[] = [
  { from: 'main.ts', to: 'main.js', options: NODE },
  { from: 'probe/main.ts', to: 'probe/main.js', options: NODE },
  // For the demo page. The server does not serve source maps, so the bundle has none.
  { from: 'client/browser.ts', to: 'public/client.js', options: { platform: 'browser', target: 'es2022' } },
];

/** Directories whose files are read at run time. They are copied to the same place below `dist/server/`. */
const ASSETS: readonly { readonly directory: string; readonly extension: string }[] = [
  { directory: 'history/migrations', extension: '.sql' },
  { directory: 'public', extension: '' },
];

/**
 * Builds the server into `dist/server` without type checking. The directory is complete: with Node.js, it runs wherever it is copied.
 * @throws BuildFailure of esbuild, which names file and line, when a source does not parse or resolve
 */
export async function build(): Promise<WrittenFile[]> {
  await rm(FINGERPRINT, { force: true });
  return (await Promise.all([...BUNDLES.map(writeBundle), ...ASSETS.map(copyAssets), writeManifest()])).flat();
}

/** Tells Node.js that the bundles are ES modules. */
async function writeManifest(): Promise<WrittenFile[]> {
  const { name, version, license, type, engines } = manifest;
  const contents = JSON.stringify({ name, version, license, private: true, type, engines }, null, 2);
  return [await replaceFile(join(DIST, 'server', 'package.json'), `${contents}\n`)];
}

/**
 * Sorted paths of the packages whose code is in the programs for Node.js, relative to the repository:
 * `node_modules/ws`, `node_modules/a/node_modules/b`.
 */
export async function bundledPackages(): Promise<string[]> {
  const programs = BUNDLES.filter(({ options }) => options.platform === 'node');
  const bundles = await Promise.all(programs.map(createBundle));
  const outputs = bundles.flatMap(({ metafile }) => Object.values(metafile.outputs));
  const files = outputs.flatMap(({ inputs }) => Object.keys(inputs));
  return [...new Set(files.map(packageOf).filter((path) => path !== undefined))].sort();
}

/** `node_modules/@scope/name/lib/file.js` -> `node_modules/@scope/name`; undefined for our own files. */
function packageOf(file: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
}

function createBundle({ from, to, options }: Bundle) {
  return bundle({
    entryPoints: [join(SERVER, from)],
    absWorkingDir: ROOT,
    outfile: join(DIST, 'server', to),
    bundle: true,
    format: 'esm',
    logLevel: 'silent',
    ...options,
    metafile: true,
    write: false,
  });
}

async function writeBundle(one: Bundle): Promise<WrittenFile[]> {
  const { outputFiles } = await createBundle(one);
  return Promise.all(
    outputFiles.map(({ path, contents, text }) =>
      replaceFile(path, path.endsWith('.map') ? withoutPackages(text) : contents),
    ),
  );
}

async function copyAssets({ directory, extension }: (typeof ASSETS)[number]): Promise<WrittenFile[]> {
  const entries = await readdir(join(SERVER, directory), { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile() && entry.name.endsWith(extension)).map(({ name }) => name);
  return Promise.all(
    names.map(async (name) =>
      replaceFile(join(DIST, 'server', directory, name), await readFile(join(SERVER, directory, name))),
    ),
  );
}

function summary(name: string, files: readonly WrittenFile[]): string {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return `${name} (${files.length} files, ${Math.round(bytes / 1_000)} kB)`;
}

/** @param withClient build the package of the client as well, which needs the development dependencies */
async function main(withClient: boolean): Promise<void> {
  const [server, client] = await Promise.all([build(), withClient ? buildClientPackage(join(DIST, 'client')) : []]);
  const parts = [summary('dist/server', server), ...(withClient ? [summary('dist/client', client)] : [])];
  console.log(`Built ${parts.join(' and ')} in ${Math.round(performance.now())} ms.`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    await main(process.argv.includes('--with-client'));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
