/**
 * One managed child process: start, wait until ready, signal, stop, and its last words for error messages.
 * It leads its own process group, so that Ctrl-C in a terminal reaches only the launcher, which then stops it in order.
 * Knows nothing of what the program does.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { killTree, release, watch } from './reaper.ts';
import type { User } from './unprivileged.ts';

export interface ProcessSpec {
  /** For messages: `node-1`, `postgres`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment; default: this process's. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Run as this user; only root may. */
  readonly user?: User | undefined;
  /** Both output streams go here; truncated at start. */
  readonly logFile: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ReadyOptions {
  readonly deadlineMs: number;
  readonly intervalMs?: number;
  readonly signal?: AbortSignal | undefined;
}

const TAIL_LINES = 25;

export class ManagedProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when the process has ended, however it did; never rejects. */
  readonly exited: Promise<Exit>;
  #exit: Exit | undefined;

  private constructor(spec: ProcessSpec, child: ChildProcess, pid: number) {
    this.name = spec.name;
    this.pid = pid;
    this.logFile = spec.logFile;
    watch(pid, spec.name);
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#exit = { code, signal };
        release(pid);
        resolve(this.#exit);
      });
    });
  }

  /**
   * Starts the program; it need not be ready yet.
   * @throws Error naming the program when it cannot be executed
   */
  static start(spec: ProcessSpec): Promise<ManagedProcess> {
    mkdirSync(dirname(spec.logFile), { recursive: true });
    const log = openSync(spec.logFile, 'w', 0o600);
    try {
      const child = spawn(spec.command, spec.args, {
        detached: true,
        stdio: ['ignore', log, log],
        ...(spec.env === undefined ? {} : { env: spec.env }),
        ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
        ...(spec.user === undefined ? {} : { uid: spec.user.uid, gid: spec.user.gid }),
      });
      // Wrapped before the first await, so that there is no moment in which it runs unwatched.
      if (child.pid !== undefined) return Promise.resolve(new ManagedProcess(spec, child, child.pid));
      return new Promise((_, reject) => {
        child.once('error', (cause) =>
          reject(new Error(`${spec.name} cannot be started: ${cause.message}`, { cause })),
        );
      });
    } finally {
      closeSync(log);
    }
  }

  /** How it ended; undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** The last lines of its output. */
  tail(lines = TAIL_LINES): string {
    return this.output().trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** Everything it has written since it started. */
  output(): string {
    try {
      return readFileSync(this.logFile, 'utf8');
    } catch {
      return '';
    }
  }

  /**
   * Waits until `check` returns true; its errors count as "not yet".
   * @throws Error with the end of the output when the process ends first or the deadline passes; the signal's
   *   reason on abort
   */
  async ready(check: () => Promise<boolean>, { deadlineMs, intervalMs = 25, signal }: ReadyOptions): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    let last: unknown;
    for (;;) {
      signal?.throwIfAborted();
      if (this.#exit) throw new Error(this.#explain(`ended before it was ready (${describeExit(this.#exit)})`));
      const ok = await check().catch((error: unknown) => {
        last = error;
        return false;
      });
      if (ok) return;
      if (performance.now() >= deadline) break;
      await Promise.race([this.exited, new Promise((resolve) => setTimeout(resolve, intervalMs))]);
    }
    throw new Error(this.#explain(`was not ready within ${deadlineMs / 1000} s`), { cause: last });
  }

  /** Signals the process and everything below it: SIGKILL, SIGSTOP, SIGCONT for fault injection. */
  kill(signal: NodeJS.Signals): void {
    if (!this.#exit) killTree(this.pid, signal);
  }

  /**
   * Asks the process itself to end; after `deadlineMs` it is killed, with all its children. Resolves when it has
   * ended.
   */
  async stop(signal: NodeJS.Signals = 'SIGTERM', deadlineMs = 10_000): Promise<Exit> {
    if (this.#exit) return this.#exit;
    this.kill('SIGCONT');
    try {
      process.kill(this.pid, signal);
    } catch {
      // It ended in the meantime; its exit event is on the way.
    }
    const timer = setTimeout(() => this.kill('SIGKILL'), deadlineMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  #explain(what: string): string {
    const tail = this.tail();
    return `${this.name} ${what}${tail === '' ? '; it wrote nothing.' : `; its output ends with:\n${indent(tail)}`}`;
  }
}

/** `code 1` or `SIGKILL`. */
export function describeExit({ code, signal }: Exit): string {
  return signal ?? `code ${code}`;
}

/** Sets quoted output apart from the message around it. */
export function indent(text: string): string {
  return text.replace(/^/gm, '  | ');
}
