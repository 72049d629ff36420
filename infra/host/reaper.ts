/**
 * Ends the child processes and removes the temporary directories of this process when it exits. An exit hook handles
 * ordinary exits. A small shell process handles the others (SIGKILL, a crash, a Jest sandbox without exit hooks): it
 * reads from a pipe that closes with this process, and then cleans up. Ends each process that was registered with `watch`,
 * with its process group and its children, and no others.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { descendants } from './process-identity.ts';

/**
 * Script of that shell. Reads lines "+ pid", "- pid" and "d directory". At the end of its input it kills the process
 * groups, and their direct children: Postgres backends have process groups of their own.
 */
const REAPER = `
pids=' '
while read -r what value; do
  case $what in
    +) pids="$pids$value " ;;
    -) case $pids in *" $value "*) pids="\${pids%% $value *} \${pids#* $value }" ;; esac ;;
    d) set -- "$@" "$value" ;;
  esac
done
for pid in $pids; do
  children=
  for file in /proc/[0-9]*/stat; do
    { read -r line < "$file"; } 2>/dev/null || continue
    rest=\${line##*) }; rest=\${rest#* }
    [ "\${rest%% *}" = "$pid" ] && children="$children \${line%% *}"
  done
  kill -s KILL -- "-$pid" $children 2>/dev/null
done
[ "$pids" = ' ' ] || sleep 0.2
for directory in "$@"; do rm -rf -- "$directory"; done
`;

const pids = new Map<number, string>();
const directories = new Set<string>();
let reaper: ChildProcess | undefined;
let hooked = false;
let observer: ((running: readonly WatchedProcess[]) => void) | undefined;

export interface WatchedProcess {
  readonly pid: number;
  readonly name: string;
}

/** Registers a process that leads its own process group, to be killed when this process exits. */
export function watch(pid: number, name: string): void {
  hook();
  pids.set(pid, name);
  tell(`+ ${pid}`);
  announce();
}

/** Calls `listener` with all watched processes after each change, synchronously. */
export function observeWatched(listener: (running: readonly WatchedProcess[]) => void): void {
  observer = listener;
}

function announce(): void {
  observer?.([...pids].map(([pid, name]) => ({ pid, name })));
}

/** Unregisters a process that has ended, because the kernel may reuse its pid. */
export function release(pid: number): void {
  if (pids.delete(pid)) {
    tell(`- ${pid}`);
    announce();
  }
  rest();
}

/**
 * Creates a private directory below the temporary directory of the system. It is removed when this process exits, at
 * the latest.
 */
export function temporaryDirectory(name: string): string {
  hook();
  const directory = mkdtempSync(join(tmpdir(), `holdfast-${name}-`));
  directories.add(directory);
  tell(`d ${directory}`);
  return directory;
}

/** Removes a directory that `temporaryDirectory` created. */
export function removeTemporary(directory: string): void {
  if (!directories.delete(directory)) return;
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  rest();
}

/** Kills every watched process with SIGKILL and removes the directories. For the exit hook and an immediate stop. */
export function killAll(): void {
  for (const pid of pids.keys()) killTree(pid, 'SIGKILL');
  pids.clear();
  for (const directory of directories) {
    try {
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    } catch {
      // A killed process may still write there. The shell removes the directory later.
    }
  }
}

/** Signals a process group and all descendants of its leader, without waiting. Ignores processes that have ended. */
export function killTree(pid: number, signal: NodeJS.Signals): void {
  const below = descendants(pid);
  for (const target of [-pid, ...below]) {
    try {
      process.kill(target, signal);
    } catch {
      // ESRCH: the process has ended.
    }
  }
}

function hook(): void {
  if (hooked) return;
  hooked = true;
  process.on('exit', killAll);
}

function tell(line: string): void {
  reaper ??= startReaper();
  reaper.stdin?.write(`${line}\n`);
}

/** Ends the shell when there is nothing left to clean up. The next `tell` starts another one. */
function rest(): void {
  if (pids.size > 0 || directories.size > 0) return;
  reaper?.stdin?.end();
  reaper = undefined;
}

function startReaper(): ChildProcess {
  const child = spawn('/bin/sh', ['-c', REAPER, 'holdfast-reaper'], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // The shell must neither keep this process alive nor end it with an error: it is only the fallback.
  child.on('error', () => undefined);
  child.stdin?.on('error', () => undefined);
  child.unref();
  const stdin = child.stdin as (NodeJS.WritableStream & { unref?: () => void }) | null;
  stdin?.unref?.();
  return child;
}
