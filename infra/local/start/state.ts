/**
 * What a launcher leaves for the next one and for the commands that talk to its cluster: `.holdfast/local.json`, readable by its owner only.
 * Holds the token secret and the identities of started processes. Nothing else may write that file.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ROOT } from '../../host/paths.ts';
import type { ProcessIdentity } from '../../host/process-identity.ts';

export interface LocalState {
  /** HS256 secret of this directory; tokens stay valid across restarts. */
  readonly secret: string;
  /** The launcher that wrote this; not necessarily still there. */
  readonly launcher?: ProcessIdentity;
  /** Address of the service, once it runs: the balancer, or the first node. */
  readonly url?: string;
  readonly processes: readonly (ProcessIdentity & { readonly name: string })[];
  /** Where the PostgreSQL data is, when the launcher keeps some. */
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
 * The state, or undefined when nothing was ever started here.
 * @throws Error when the file is there and cannot be read
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
    // Not JSON: said below.
  }
  throw new Error(
    `${path} is not a state file of Holdfast. Remove it: the next start makes a new one, with a new secret.`,
  );
}

/** Replaces the state at once, so that a reader never sees a part of it. */
export function writeState(state: LocalState, directory = stateDirectory()): void {
  mkdirSync(directory, { recursive: true });
  const temporary = `${stateFile(directory)}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, stateFile(directory));
}

/** A secret as HS256 wants it: 256 random bits. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}
