/** `npm start` as a child process on free ports and in its own directory, for the tests of the launcher. */
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
  /** What the launcher has printed so far, on both streams. */
  output(): string;
  state(): LocalState;
  /** Waits until this text is printed; fails at once when the launcher ends before. */
  printed(text: string | RegExp): Promise<void>;
  /** Resolves to the exit code, or to the name of the signal that ended the launcher. */
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
  // Readable as a checkout is: PostgreSQL runs as another user and must reach its data below.
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
        if (!found())
          throw new Error(`"${expected}" was not printed (exit code ${child.exitCode}). The output is:\n${text}`);
      };
      await Promise.race([eventually(check, { timeoutMs: 20_000 }), ended]);
      check();
    },
  };
}
