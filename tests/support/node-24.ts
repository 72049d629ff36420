/**
 * A Node 24, the version that the image runs on: the current one if it is that, the one that HOLDFAST_NODE_24 names, or
 * one from the npm registry, kept below node_modules/.cache.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../infra/host/paths.ts';

const VERSION = '24';
const DIRECTORY = join(ROOT, 'node_modules', '.cache', 'holdfast', 'node-24');
/** The package is 40 MB. */
const INSTALL_TIMEOUT_MS = 120_000;

/** Path of the program. @throws Error when there is none */
export function node24(): string {
  const found = findNode24();
  if (found === undefined) throw new Error('No Node 24 on this machine, and none could be installed with npm.');
  return found;
}

/** Why there is none, worded to follow "needs"; undefined when there is. Installs it where it can. */
export function whyNoNode24(): string | undefined {
  return findNode24() === undefined ? 'there is no Node 24' : undefined;
}

function findNode24(): string | undefined {
  if (process.versions.node.startsWith(`${VERSION}.`)) return process.execPath;
  const { HOLDFAST_NODE_24: named } = process.env;
  if (named) return existsSync(named) ? named : undefined;
  const name = `node-${process.platform}-${process.arch}`;
  const program = join(DIRECTORY, 'node_modules', name, 'bin', 'node');
  if (!existsSync(program)) {
    const args = ['install', '--prefix', DIRECTORY, '--no-save', '--no-audit', '--no-fund', `${name}@${VERSION}`];
    spawnSync('npm', args, { stdio: 'ignore', timeout: INSTALL_TIMEOUT_MS });
  }
  return existsSync(program) ? program : undefined;
}
