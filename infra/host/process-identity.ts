/**
 * Reads what the kernel says about processes (Linux /proc). Never signals any.
 * Without /proc (macOS) nothing is found, and callers do without.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Names one process for good: a pid alone is handed out again, its start time (or the boot) then differs. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Boot id and start time in clock ticks after the boot; empty where /proc is missing. */
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
  // The second field is the program's name in parentheses and may hold anything, so count from its end.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', parent: Number(fields[1]), startTicks: fields[19] ?? '' };
}

/** The parent's pid, or undefined when the process is gone or there is no /proc. */
export function parentOf(pid: number): number | undefined {
  return stat(pid)?.parent;
}

/** The identity of a process as of now. */
export function identify(pid: number): ProcessIdentity {
  const ticks = stat(pid)?.startTicks;
  return { pid, started: ticks === undefined ? '' : `${bootId()}/${ticks}` };
}

function bootId(): string {
  return (read('/proc/sys/kernel/random/boot_id') ?? '').trim();
}

/** Whether exactly this process still runs; a zombie does not. */
export function isRunning({ pid, started }: ProcessIdentity): boolean {
  if (started === '' || stat(pid)?.state === 'Z') return false;
  return identify(pid).started === started;
}

/** The command line, words separated by spaces; empty when the process is gone. */
export function commandLine(pid: number): string {
  return (read(`/proc/${pid}/cmdline`) ?? '').replaceAll('\0', ' ').trim();
}

/** All processes below `pid`, parents before their children. */
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
