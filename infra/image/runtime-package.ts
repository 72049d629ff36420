/**
 * Runs in the image build: reduces package.json to the packages that the bundles in `dist/server` import, so that
 * `npm prune` removes all others. esbuild derives the list from the sources, so no list has to be maintained.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

// Not from host/paths.ts: the build of the image has this file and nothing else of infra.
const ROOT = join(import.meta.dirname, '..', '..');

/** Entry points of the programs in the image: node and probe. */
export const IMAGE_PROGRAMS = ['server/main.ts', 'server/probe/main.ts'] as const;

/** Sorted names of the packages that these entry points import at run time. Paths are relative to the repository. */
export async function importedPackages(entryPoints: readonly string[]): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [...entryPoints],
    absWorkingDir: ROOT,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    write: false,
    metafile: true,
    outdir: 'dist',
    logLevel: 'silent',
  });
  const paths = Object.values(metafile.outputs).flatMap(({ imports }) => imports.filter((one) => one.external));
  const names = paths.map(({ path }) => path).filter((path) => !isBuiltin(path));
  return [...new Set(names.map(packageOf))].sort();
}

/** `@scope/name/deep` -> `@scope/name` */
function packageOf(path: string): string {
  return path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/');
}

/** `package.json` with only these dependencies. @throws Error when one of them is missing in it */
export function runtimePackage(manifest: Manifest, names: readonly string[]): object {
  const missing = names.filter((name) => !(name in manifest.dependencies));
  if (missing.length > 0)
    throw new Error(`The image imports packages that are no dependencies in package.json: ${missing.join(', ')}.`);
  const { name, version, license, type, engines } = manifest;
  const dependencies = Object.fromEntries(names.map((one) => [one, manifest.dependencies[one]]));
  return { name, version, license, private: true, type, engines, dependencies, overrides: manifest.overrides };
}

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly type: string;
  readonly engines: object;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly overrides?: object;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const path = join(ROOT, 'package.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  const names = await importedPackages(IMAGE_PROGRAMS);
  writeFileSync(path, `${JSON.stringify(runtimePackage(manifest, names), null, 2)}\n`);
  console.log(`Packages in the image: ${names.join(', ')}.`);
}
