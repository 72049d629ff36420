/**
 * A Linux network namespace: its own interfaces, addresses and sockets for the programs inside. It has no name in the
 * system and exists as long as the process that holds it. The reaper ends that process with the tests, so nothing is
 * left behind. Links between namespaces are made by `network.ts`.
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

/** Why no network namespace can be created here, worded to follow "because"; undefined when it can. */
export function whyNoNamespaces(): string | undefined {
  if (process.platform !== 'linux') return 'only Linux has network namespaces';
  const attempt = spawnSync('unshare', ['--net', 'true'], { encoding: 'utf8' });
  if (attempt.status === 0) return undefined;
  const complaint = attempt.error?.message ?? attempt.stderr.trim();
  return `this process may not create a network namespace, which takes root (${complaint})`;
}

export class Namespace {
  readonly name: string;
  /** Logs and Unix sockets of this namespace; removed with it. */
  readonly directory: string;
  readonly #holder: ManagedProcess;
  readonly #programs: ManagedProcess[] = [];

  private constructor(name: string, directory: string, holder: ManagedProcess) {
    this.name = name;
    this.directory = directory;
    this.#holder = holder;
  }

  /**
   * Creates a namespace in which only loopback is up. `name` is for messages.
   * @throws Error when this process may not create one, see `whyNoNamespaces`
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
      // Before that, entering the namespace of the holder would enter the namespace of this process.
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

  /** Process id of the holder; `ip link … netns` takes it as the name of the namespace. */
  get pid(): number {
    return this.#holder.pid;
  }

  /** Put in front of a command line, it runs the program inside; the program keeps its process id. */
  get prefix(): readonly [string, ...string[]] {
    return ['nsenter', `--net=/proc/${this.pid}/ns/net`, '--'];
  }

  /**
   * Runs a program inside to its end and returns its output.
   * @throws Error with its error output when it fails
   */
  async run(program: string, ...args: readonly string[]): Promise<string> {
    const [command, ...words] = this.prefix;
    const { stdout } = await run(command, [...words, findProgram(program) ?? program, ...args]);
    return stdout;
  }

  /** Starts a program inside. `remove` ends it if it still runs. */
  async start(spec: Omit<ProcessSpec, 'logFile'>): Promise<ManagedProcess> {
    const [command, ...words] = this.prefix;
    const args = [...words, spec.command, ...spec.args];
    const logFile = join(this.directory, `${spec.name}.log`);
    const program = await ManagedProcess.start({ ...spec, command, args, logFile });
    this.#programs.push(program);
    return program;
  }

  /** Ends the programs that `start` started, then the namespace. Callers end what they run inside themselves before. */
  async remove(): Promise<void> {
    await Promise.all([...this.#programs, this.#holder].map((program) => program.stop('SIGTERM', 2_000)));
    removeTemporary(this.directory);
  }
}
