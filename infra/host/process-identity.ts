/**
 * Identifies processes and reads their parents and command lines from Linux /proc. Never signals a process. Without
 * /proc (macOS) it finds no process.
 */
import { readdirSync, readFileSync } from 'node:fs';

/**
 * Identifies one process permanently. The kernel reuses pids, but the new process has another start time or boot id.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Boot id, and start time in clock ticks since boot. Empty without /proc. */
  readonly started: string;
}

interface Stat {
  readonly state: string;
  readonly parent: number;
  readonly startTicks: string;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function stat(pid: number): Stat | undefined {
  const line = read(`/proc/${pid}/stat`);
  if (line === undefined) return undefined;
  // The second field is the program name in parentheses and can contain any character, so count from its end.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', parent: Number(fields[1]), startTicks: fields[19] ?? '' };
}

/** Pid of the parent. Undefined when the process has ended, or without /proc. */
export function parentOf(pid: number): number | undefined {
  return stat(pid)?.parent;
}

/** The identity of the process that has this pid at the moment. */
export function identify(pid: number): ProcessIdentity {
  const ticks = stat(pid)?.startTicks;
  return { pid, started: ticks === undefined ? '' : `${bootId()}/${ticks}` };
}

function bootId(): string {
  return (read('/proc/sys/kernel/random/boot_id') ?? '').trim();
}

/** Whether exactly this process still runs. A zombie does not count as running. */
export function isRunning({ pid, started }: ProcessIdentity): boolean {
  if (started === '' || stat(pid)?.state === 'Z') return false;
  return identify(pid).started === started;
}

/** The command line, arguments separated by spaces. Empty when the process has ended. */
export function commandLine(pid: number): string {
  return (read(`/proc/${pid}/cmdline`) ?? '').replaceAll('\0', ' ').trim();
}

/** All descendants of `pid`, parents before their children. */
export function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of listProc()) {
    const parent = parentOf(Number(name));
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  for (let queue = [pid]; queue.length > 0; ) {
    queue = queue.flatMap((parent) => children.get(parent) ?? []);
    found.push(...queue);
  }
  return found;
}

function listProc(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}
