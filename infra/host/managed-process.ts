/**
 * A managed child process: start, wait until ready, signal, stop, and read its output. It leads its own process group,
 * so that Ctrl-C in a terminal reaches only the launcher, which then stops its children in order. Knows nothing about
 * the program that it runs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { killTree, release, watch } from './reaper.ts';
import type { User } from './unprivileged.ts';

export interface ProcessSpec {
  /** Name in messages: `node-1`, `postgres`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The complete environment of the child. Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** User to run as. Only root may switch users. */
  readonly user?: User | undefined;
  /** File for stdout and stderr; truncated at each start. */
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
  /** Resolves when the process has ended, for any reason. Never rejects. */
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
   * Starts the program. Does not wait until it is ready.
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
      // The reaper watches it before the first await, so the program never runs unwatched.
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

  /** Exit code or signal. Undefined while the process runs. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** The last lines of the output. */
  tail(lines = TAIL_LINES): string {
    return this.output().trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** The complete output since the start. */
  output(): string {
    try {
      return readFileSync(this.logFile, 'utf8');
    } catch {
      return '';
    }
  }

  /**
   * Waits until `check` returns true. An error of `check` counts as "not ready yet".
   * @throws Error with the end of the output when the process ends first or the deadline passes; on abort, the reason
   *   of the signal
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

  /** Signals the process and all its descendants. Tests inject faults with SIGKILL, SIGSTOP and SIGCONT. */
  kill(signal: NodeJS.Signals): void {
    if (!this.#exit) killTree(this.pid, signal);
  }

  /**
   * Signals the process to end, and after `deadlineMs` kills it with all its descendants. Resolves when the process
   * has ended.
   */
  async stop(signal: NodeJS.Signals = 'SIGTERM', deadlineMs = 10_000): Promise<Exit> {
    if (this.#exit) return this.#exit;
    this.kill('SIGCONT');
    try {
      process.kill(this.pid, signal);
    } catch {
      // The process has just ended; its exit event follows.
    }
    const timer = setTimeout(() => this.kill('SIGKILL'), deadlineMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  #explain(what: string): string {
    const tail = this.tail();
    return `${this.name} ${what}${tail === '' ? '; it wrote no output.' : `; its output ends with:\n${indent(tail)}`}`;
  }
}

/** `code 1` or `SIGKILL`. */
export function describeExit({ code, signal }: Exit): string {
  return signal ?? `code ${code}`;
}

/** Marks each line as quoted output. */
export function indent(text: string): string {
  return text.replace(/^/gm, '  | ');
}
