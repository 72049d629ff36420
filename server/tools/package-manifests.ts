/**
 * Runs in the image build. The bundles in `dist/server` contain the code of their packages, so the image needs none of it. It keeps
 * the name, version and licence of each package where scanners of vulnerabilities look: `node_modules/<name>/package.json`.
 */
import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundledPackages } from './build.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const LEGAL = /^(licen[cs]e|notice|copying)/i;

/** Copies package.json and the licence files of these packages, at the same relative paths, to `target`. */
function copyManifests(packages: readonly string[], target: string): void {
  for (const path of packages) {
    const from = join(ROOT, path);
    const to = join(target, relative(ROOT, from));
    mkdirSync(to, { recursive: true });
    const names = readdirSync(from).filter((name) => name === 'package.json' || LEGAL.test(name));
    for (const name of names) cpSync(join(from, name), join(to, name), { recursive: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const target = process.argv[2];
  if (target === undefined) throw new Error('Usage: package-manifests.ts <directory>');
  const packages = await bundledPackages();
  copyManifests(packages, target);
  console.log(`The bundles contain ${packages.length} packages.`);
}
