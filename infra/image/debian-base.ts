/**
 * A base image made here, for machines that reach Debian and npm but no image registry: Debian by debootstrap, Node
 * from the npm package that carries its binary, npm beside it. For trying the image, not for production.
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
/** What nobody needs in an image: half of debootstrap's size. */
const SUPERFLUOUS = [
  'var/lib/apt/lists',
  'var/cache/apt',
  'usr/share/doc',
  'usr/share/man',
  'usr/share/locale',
  'usr/share/info',
];

/**
 * A tar of the root file system, made once and kept at `cached`. Takes a minute the first time.
 * @throws Error when debootstrap or npm fail
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

/** Imports the tar as an image. Where this machine trusts further authorities, so does the image, or npm could not work in it. */
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
