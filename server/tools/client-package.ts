/**
 * Builds the package that applications install, `dist/client`: bundles for browsers and Node, types, documents.
 * Owns its package.json. The package must never depend on a package of the server, and its types on none at all.
 * Part of `npm run build` only: it needs TypeScript, which a production install of the server does not have.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build as bundle } from 'esbuild';
import { replaceFile, type WrittenFile } from './output.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CLIENT = join(ROOT, 'server', 'client');

/** The entry point of the types. Both platforms export the same names. */
const TYPES = 'client/browser.d.ts';

/** Fields that the package takes over from package.json of the repository. */
export interface RootManifest {
  readonly version: string;
  readonly license: string;
  readonly engines: Readonly<Record<string, string>>;
}

/** Writes the package. @throws Error with the output of esbuild or tsc when a source does not compile */
export async function buildClientPackage(directory: string): Promise<WrittenFile[]> {
  const manifest = clientManifest(JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as RootManifest);
  const [node, browser, types] = await Promise.all([
    bundleFor('node', join(directory, 'node.js')),
    bundleFor('browser', join(directory, 'browser.js')),
    declarations(),
  ]);
  return Promise.all([
    ...[...types].map(([path, text]) => replaceFile(join(directory, 'types', path), text)),
    replaceFile(join(directory, 'node.js'), node),
    replaceFile(join(directory, 'browser.js'), browser),
    replaceFile(
      join(directory, 'package.json'),
      `${JSON.stringify({ ...manifest, files: packedFiles(types) }, null, 2)}\n`,
    ),
    replaceFile(join(directory, 'README.md'), await readFile(join(CLIENT, 'README.md'))),
    replaceFile(join(directory, 'LICENSE'), await readFile(join(ROOT, 'LICENSE'))),
  ]);
}

/** package.json of the package, without `files`. */
export function clientManifest({ version, license, engines }: RootManifest): object {
  return {
    name: '@holdfast/client',
    version,
    description: 'Client of the Holdfast realtime messaging service, for browsers and Node.js',
    license,
    type: 'module',
    engines,
    sideEffects: false,
    exports: {
      '.': { types: `./types/${TYPES}`, browser: './browser.js', node: './node.js', default: './browser.js' },
      './package.json': './package.json',
    },
    // Imported on Node 20 only, which has no global WebSocket.
    peerDependencies: { ws: '^8.0.0' },
    peerDependenciesMeta: { ws: { optional: true } },
  };
}

/** Exact names, so that files of an older build that are still in the directory are not packed. */
function packedFiles(types: ReadonlyMap<string, string>): string[] {
  return ['browser.js', 'node.js', ...[...types.keys()].map((path) => `types/${path}`)];
}

/** Without a source map: the bundle is not minified, so its stack traces are readable. */
async function bundleFor(platform: 'node' | 'browser', outfile: string): Promise<Uint8Array> {
  const { outputFiles } = await bundle({
    entryPoints: [join(CLIENT, `${platform}.ts`)],
    absWorkingDir: ROOT,
    outfile,
    bundle: true,
    format: 'esm',
    platform,
    packages: 'external',
    target: platform === 'node' ? 'node20' : 'es2022',
    logLevel: 'silent',
    write: false,
  });
  const [output] = outputFiles;
  if (!output) throw new Error(`esbuild wrote nothing for client/${platform}.ts.`);
  return output.contents;
}

/** The declaration files that the public types need, by their path below `types/`. */
async function declarations(): Promise<Map<string, string>> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-types-'));
  try {
    await compile(directory);
    return await reachable(TYPES, (path) => readFile(join(directory, path), 'utf8'));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function compile(outDir: string): Promise<void> {
  const tsc = join(dirname(fileURLToPath(import.meta.resolve('typescript/package.json'))), 'bin', 'tsc');
  try {
    await promisify(execFile)(process.execPath, [tsc, '-p', CLIENT, '--outDir', outDir]);
  } catch (error) {
    const output = error instanceof Error && 'stdout' in error ? String(error.stdout).trim() : '';
    throw new Error(`The types of the client do not compile.\n${output}`, { cause: error });
  }
}

/**
 * `entry` and every file that it imports, directly or not. The other declarations describe internals, and some of them
 * import packages. TypeScript leaves `.ts` in imports of declarations; applications resolve `.js`.
 */
export async function reachable(entry: string, read: (path: string) => Promise<string>): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const waiting = [entry];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (found.has(path)) continue;
    const text = await read(path);
    found.set(path, text.replaceAll(/(from '\.{1,2}\/[^']+)\.ts'/g, "$1.js'"));
    for (const [, target = ''] of text.matchAll(/from '([^']+)'/g)) {
      if (!target.startsWith('.'))
        throw new Error(`${path} imports ${target}; the types of the client need no package.`);
      waiting.push(relative('.', join(dirname(path), target.replace(/\.ts$/, '.d.ts'))));
    }
  }
  return new Map([...found].sort(([a], [b]) => a.localeCompare(b)));
}
