/**
 * The state file of the launcher, `.holdfast/local.json`, readable by its owner only: the token secret and the
 * identities of started processes. The next launcher reads it, and so do the programs that talk to the cluster, such
 * as `npm run token`. Only this module writes it.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ROOT } from '../../host/paths.ts';
import type { ProcessIdentity } from '../../host/process-identity.ts';

export interface LocalState {
  /** HS256 secret, kept across restarts so that tokens stay valid. */
  readonly secret: string;
  /** The launcher that wrote the file. It may have ended. */
  readonly launcher?: ProcessIdentity;
  /** Address of the service, once it runs: the balancer, or the first node. */
  readonly url?: string;
  readonly processes: readonly (ProcessIdentity & { readonly name: string })[];
  /** Directory of the PostgreSQL data. Undefined with DATABASE_URL. */
  readonly postgresDirectory?: string;
}

/** `.holdfast` in the checkout, or HOLDFAST_DIR. Absolute. */
export function stateDirectory(): string {
  return resolve(process.env.HOLDFAST_DIR || join(ROOT, '.holdfast'));
}

function stateFile(directory: string): string {
  return join(directory, 'local.json');
}

/**
 * The state, or undefined when no launcher has run here.
 * @throws Error when the file exists but cannot be read
 */
export function readState(directory = stateDirectory()): LocalState | undefined {
  const path = stateFile(directory);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const state = JSON.parse(text) as LocalState;
    if (typeof state.secret === 'string' && Array.isArray(state.processes)) return state;
  } catch {
    // Not JSON. The error below says so.
  }
  throw new Error(
    `${path} is not a state file of Holdfast. Remove it: the next start writes a new one with a new secret, and earlier tokens become invalid.`,
  );
}

/** Replaces the file atomically, so that a reader never sees part of it. */
export function writeState(state: LocalState, directory = stateDirectory()): void {
  mkdirSync(directory, { recursive: true });
  const temporary = `${stateFile(directory)}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, stateFile(directory));
}

/** A new secret for HS256: 256 random bits. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}
