/** `npm start` as a child process on free ports and in a directory of its own, for the tests of the launcher. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../infra/host/paths.ts';
import { adjacentFreePorts, freePort } from '../../infra/host/ports.ts';
import type { LocalState } from '../../infra/local/start/state.ts';
import { eventually } from './wait.ts';

export interface Launcher {
  readonly child: ChildProcess;
  /** All that it printed so far, both streams. */
  output(): string;
  state(): LocalState;
  /** Waits for a line; fails early when the launcher ends. */
  printed(text: string | RegExp): Promise<void>;
  /** Resolves with the exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
}

export interface LauncherPlace {
  readonly directory: string;
  readonly ports: { readonly balancer: number; readonly nodes: readonly [number, number] };
  /** @param program default: `npm start` */
  start(env?: Readonly<Record<string, string>>, args?: readonly string[], program?: string): Launcher;
  remove(): void;
}

/** A directory and ports that several starts, one after the other, may use. */
export async function launcherPlace(): Promise<LauncherPlace> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-launcher-'));
  // Open as a checkout is: PostgreSQL's user has to get to its data below.
  chmodSync(directory, 0o755);
  const balancer = await freePort();
  const [metrics = 0] = await adjacentFreePorts(2);
  const [node = 0] = await adjacentFreePorts(2);
  const env = {
    HOLDFAST_DIR: directory,
    HOLDFAST_NO_INSTALL: '1',
    PORT: String(balancer),
    NODE_PORT: String(node),
    METRICS_PORT: String(metrics),
  };
  return {
    directory,
    ports: { balancer, nodes: [node, node + 1] },
    start: (more = {}, args = [], program = 'infra/local/start/main.ts') =>
      run(directory, { ...env, ...more }, [program, ...args]),
    remove: () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }),
  };
}

function run(directory: string, env: Readonly<Record<string, string>>, args: readonly string[]): Launcher {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, ['--import', 'tsx', ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH, HOME, ...env },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  return {
    child,
    ended,
    output: () => text,
    state: () => JSON.parse(readFileSync(join(directory, 'local.json'), 'utf8')) as LocalState,
    printed: async (expected) => {
      const found = () => (typeof expected === 'string' ? text.includes(expected) : expected.test(text));
      const check = () => {
        if (!found()) throw new Error(`"${expected}" was not printed (exit ${child.exitCode}). Printed was:\n${text}`);
      };
      await Promise.race([eventually(check, { timeoutMs: 20_000 }), ended]);
      check();
    },
  };
}
