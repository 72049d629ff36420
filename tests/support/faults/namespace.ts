/**
 * A Linux network namespace: network interfaces, addresses and sockets of its own for the programs that run inside.
 * It has no name: it lives as long as the process that holds it, which is watched like every process here, so that
 * nothing is left behind however a test ends. Knows no wires; those are `network.ts`.
 */
import { execFile, spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ManagedProcess, type ProcessSpec } from '../../../infra/host/managed-process.ts';
import { findProgram } from '../../../infra/host/programs.ts';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';

const START_DEADLINE_MS = 20_000;
const run = promisify(execFile);

/** Why namespaces cannot be made here, worded to follow "because"; undefined when they can. */
export function whyNoNamespaces(): string | undefined {
  if (process.platform !== 'linux') return 'only Linux has network namespaces';
  const attempt = spawnSync('unshare', ['--net', 'true'], { encoding: 'utf8' });
  if (attempt.status === 0) return undefined;
  const complaint = attempt.error?.message ?? attempt.stderr.trim();
  return `this process may make no network namespace, which takes root (${complaint})`;
}

export class Namespace {
  readonly name: string;
  /** Private to this namespace: logs, Unix sockets. Removed with it. */
  readonly directory: string;
  readonly #holder: ManagedProcess;
  readonly #programs: ManagedProcess[] = [];

  private constructor(name: string, directory: string, holder: ManagedProcess) {
    this.name = name;
    this.directory = directory;
    this.#holder = holder;
  }

  /**
   * A new one in which only loopback is up. `name` is for messages.
   * @throws Error when this process may not make one, see `whyNoNamespaces`
   */
  static async create(name: string): Promise<Namespace> {
    const directory = temporaryDirectory(`net-${name}`);
    const holder = await ManagedProcess.start({
      name: `namespace ${name}`,
      command: 'unshare',
      args: ['--net', 'sleep', 'infinity'],
      logFile: join(directory, 'holder.log'),
    });
    const namespace = new Namespace(name, directory, holder);
    try {
      // Entering it earlier would be entering ours.
      const ours = readlinkSync('/proc/self/ns/net');
      await holder.ready(async () => readlinkSync(`/proc/${holder.pid}/ns/net`) !== ours, {
        deadlineMs: START_DEADLINE_MS,
      });
      await namespace.run('ip', 'link', 'set', 'lo', 'up');
      return namespace;
    } catch (error) {
      await namespace.remove();
      throw error;
    }
  }

  /** Names this namespace to `ip link … netns`. */
  get pid(): number {
    return this.#holder.pid;
  }

  /** What to put in front of a command line to have it run inside; the program keeps its process id. */
  get prefix(): readonly [string, ...string[]] {
    return ['nsenter', `--net=/proc/${this.pid}/ns/net`, '--'];
  }

  /**
   * Runs a program inside to its end and returns what it printed.
   * @throws Error with its complaint when it fails
   */
  async run(program: string, ...args: readonly string[]): Promise<string> {
    const [command, ...words] = this.prefix;
    const { stdout } = await run(command, [...words, findProgram(program) ?? program, ...args]);
    return stdout;
  }

  /** Starts a program inside. It is ended with the namespace at the latest. */
  async start(spec: Omit<ProcessSpec, 'logFile'>): Promise<ManagedProcess> {
    const [command, ...words] = this.prefix;
    const args = [...words, spec.command, ...spec.args];
    const logFile = join(this.directory, `${spec.name}.log`);
    const program = await ManagedProcess.start({ ...spec, command, args, logFile });
    this.#programs.push(program);
    return program;
  }

  /** Ends what `start` started, and the namespace with it; what others run inside is theirs to end before. */
  async remove(): Promise<void> {
    await Promise.all([...this.#programs, this.#holder].map((program) => program.stop('SIGTERM', 2_000)));
    removeTemporary(this.directory);
  }
}
