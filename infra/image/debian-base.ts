/**
 * Builds a base image for machines that reach Debian and npm but no image registry: Debian from debootstrap, and Node.js
 * and npm from npm packages. For trying the server image; do not use it in production.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeTemporary, temporaryDirectory } from '../host/reaper.ts';
import { type BuildahStorage, buildahStorage } from './builders.ts';

export const NODE_VERSION = '24.21.0';
const NPM_VERSION = '11.6.2';
const SUITE = 'bookworm';
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
/** Directories that the image does not need: half of the size that debootstrap installs. */
const SUPERFLUOUS = [
  'var/lib/apt/lists',
  'var/cache/apt',
  'usr/share/doc',
  'usr/share/man',
  'usr/share/locale',
  'usr/share/info',
];

/**
 * Path of a tar archive of the root file system. Builds it at `cached` on the first call, which takes a minute.
 * @throws Error when debootstrap or npm fails
 */
export function debianBase(cached: string): string {
  if (existsSync(cached)) return cached;
  const work = temporaryDirectory('base');
  try {
    const root = join(work, 'root');
    execFileSync('debootstrap', ['--variant=minbase', '--include=ca-certificates', SUITE, root], { stdio: 'ignore' });
    for (const path of SUPERFLUOUS) rmSync(join(root, path), { recursive: true, force: true });
    addNode(root, work);
    const tar = join(work, 'base.tar');
    execFileSync('tar', ['-C', root, '-cf', tar, '.']);
    mkdirSync(join(cached, '..'), { recursive: true });
    copyFileSync(tar, `${cached}.new`);
    renameSync(`${cached}.new`, cached);
    return cached;
  } finally {
    removeTemporary(work);
  }
}

function addNode(root: string, work: string): void {
  const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
  const packages = [`node-linux-${architecture}@${NODE_VERSION}`, `npm@${NPM_VERSION}`];
  writeFileSync(join(work, 'package.json'), '{"private":true}');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--no-save', ...packages], {
    cwd: work,
    stdio: 'ignore',
  });
  const modules = join(root, 'usr/local/lib/node_modules');
  mkdirSync(modules, { recursive: true });
  copyFileSync(join(work, 'node_modules', `node-linux-${architecture}`, 'bin/node'), join(root, 'usr/local/bin/node'));
  execFileSync('cp', ['-r', join(work, 'node_modules/npm'), modules]);
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'));
}

/**
 * Imports the archive as an image. Copies the certificate authorities of this machine: behind a TLS proxy, npm needs
 * them.
 */
export function importBase(tar: string, image: string, storage: BuildahStorage): void {
  const buildah = (...args: string[]) =>
    execFileSync('buildah', [...buildahStorage(storage), ...args], { encoding: 'utf8' }).trim();
  const container = buildah('from', 'scratch');
  buildah('add', container, tar, '/');
  if (existsSync(CERTIFICATES)) buildah('copy', container, CERTIFICATES, CERTIFICATES);
  buildah(
    'config',
    '--env',
    'PATH=/usr/local/bin:/usr/bin:/bin',
    '--env',
    `NODE_EXTRA_CA_CERTS=${CERTIFICATES}`,
    container,
  );
  buildah('commit', '--rm', '--quiet', container, image);
}
