/**
 * Sees to it that nothing outlives this process: neither a process that it started nor a temporary directory.
 * An exit hook covers every ordinary end; a tiny shell at the other end of a pipe covers the rest (SIGKILL, a crash, a
 * Jest sandbox whose exit hooks never fire): the pipe closes with us, whatever happened, and it then ends what is left.
 * Never ends a process that was not handed to it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { descendants } from './process-identity.ts';

/**
 * "+ pid", "- pid" and "d directory" come in by line. Postgres backends have process groups of their own: children go
 * too.
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

/** Takes responsibility for a process that leads its own process group. */
export function watch(pid: number, name: string): void {
  hook();
  pids.set(pid, name);
  tell(`+ ${pid}`);
  announce();
}

/** Calls `listener` with all watched processes whenever they change, before anything else happens to them. */
export function observeWatched(listener: (running: readonly WatchedProcess[]) => void): void {
  observer = listener;
}

function announce(): void {
  observer?.([...pids].map(([pid, name]) => ({ pid, name })));
}

/** The process ended: its pid may soon be somebody else's. */
export function release(pid: number): void {
  if (pids.delete(pid)) {
    tell(`- ${pid}`);
    announce();
  }
  rest();
}

/** A new private directory below the system's, removed at the latest when this process ends. */
export function temporaryDirectory(name: string): string {
  hook();
  const directory = mkdtempSync(join(tmpdir(), `holdfast-${name}-`));
  directories.add(directory);
  tell(`d ${directory}`);
  return directory;
}

/** Removes a directory made by `temporaryDirectory`. */
export function removeTemporary(directory: string): void {
  if (!directories.delete(directory)) return;
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  rest();
}

/** Ends every watched process at once with SIGKILL, and removes the directories. For emergencies and the exit hook. */
export function killAll(): void {
  for (const pid of pids.keys()) killTree(pid, 'SIGKILL');
  pids.clear();
  for (const directory of directories) {
    try {
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    } catch {
      // A dying process may still be writing there; the reaper tries again after it.
    }
  }
}

/** Signals a process group and everything below its leader; returns without waiting. Gone processes are no error. */
export function killTree(pid: number, signal: NodeJS.Signals): void {
  const below = descendants(pid);
  for (const target of [-pid, ...below]) {
    try {
      process.kill(target, signal);
    } catch {
      // ESRCH: it ended in the meantime.
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

/** Nothing left to watch: the reaper is not needed until the next start. */
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
  // It must never keep this process alive, nor end it by an error of its own: it is the second line of defence.
  child.on('error', () => undefined);
  child.stdin?.on('error', () => undefined);
  child.unref();
  const stdin = child.stdin as (NodeJS.WritableStream & { unref?: () => void }) | null;
  stdin?.unref?.();
  return child;
}
