/**
 * A real nginx in front of local nodes. Fills in `nginx.conf`, which contains every balancing decision. Never installs
 * nginx, and never runs it as root.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { ManagedProcess } from '../../host/managed-process.ts';
import { freePort } from '../../host/ports.ts';
import { findProgram } from '../../host/programs.ts';
import { removeTemporary, temporaryDirectory } from '../../host/reaper.ts';
import { giveTo, unprivilegedUser } from '../../host/unprivileged.ts';

export interface NginxOptions {
  /** Ports of the nodes on 127.0.0.1. */
  readonly nodePorts: readonly number[];
  /** Default: a free port. */
  readonly port?: number | undefined;
  readonly logFile: string;
  readonly signal?: AbortSignal | undefined;
}

/** Reason for messages when there is no balancer. */
export const NGINX_MISSING = 'nginx is not on the PATH';

/** Path of nginx, or undefined. */
export function findNginx(): string | undefined {
  return findProgram('nginx');
}

/**
 * Fills in the placeholders of `nginx.conf`.
 * @throws Error when the template has an unknown placeholder
 */
export function renderConfig(
  template: string,
  values: { port: number; nodePorts: readonly number[]; run: string; workers: number },
): string {
  // max_fails=0: never marks a node as failed. On loopback a stopped node refuses within microseconds, and nginx then
  // tries the next node anyway; a node that is back gets connections at once.
  const servers = values.nodePorts.map((port) => `server 127.0.0.1:${port} max_fails=0;`).join('\n    ');
  const placeholders: Readonly<Record<string, string>> = {
    LISTEN: `127.0.0.1:${values.port}`,
    WS_SERVERS: servers,
    API_SERVERS: servers,
    RUN: values.run,
    WORKERS: String(values.workers),
  };
  const lines = template.split('\n').filter((line) => !line.startsWith('#'));
  return lines.join('\n').replace(/@([A-Z_]+)@/g, (_, name: string) => {
    const value = placeholders[name];
    if (value === undefined) throw new Error(`nginx.conf has an unknown placeholder @${name}@.`);
    return value;
  });
}

export class NginxServer {
  readonly port: number;
  readonly #launch: () => Promise<ManagedProcess>;
  readonly #directory: string;
  #process: ManagedProcess;

  private constructor(port: number, directory: string, launch: () => Promise<ManagedProcess>, process: ManagedProcess) {
    this.port = port;
    this.#directory = directory;
    this.#launch = launch;
    this.#process = process;
  }

  /**
   * Starts the balancer and waits until it accepts connections. The nodes need not run yet.
   * @throws Error when nginx is missing or does not start
   */
  static async start(options: NginxOptions): Promise<NginxServer> {
    const program = findNginx();
    if (program === undefined) throw new Error(`${NGINX_MISSING}.`);
    const port = options.port ?? (await freePort());
    const directory = temporaryDirectory('nginx');
    try {
      const template = await readFile(join(import.meta.dirname, '..', 'nginx.conf'), 'utf8');
      const config = renderConfig(template, {
        port,
        nodePorts: options.nodePorts,
        run: directory,
        workers: Math.min(cpus().length, 4),
      });
      await writeFile(join(directory, 'nginx.conf'), config);
      giveTo(unprivilegedUser(), directory);
      const launch = () => startServer(program, port, directory, options);
      return new NginxServer(port, directory, launch, await launch());
    } catch (error) {
      removeTemporary(directory);
      throw error;
    }
  }

  /** The running process, or the last one. */
  get process(): ManagedProcess {
    return this.#process;
  }

  async restart(): Promise<void> {
    await this.#process.stop('SIGTERM', 5_000);
    this.#process = await this.#launch();
  }

  /** Closes all connections at once. Drain the nodes first. */
  async stop(): Promise<void> {
    await this.#process.stop('SIGTERM', 5_000);
    removeTemporary(this.#directory);
  }
}

async function startServer(
  program: string,
  port: number,
  directory: string,
  options: NginxOptions,
): Promise<ManagedProcess> {
  const process = await ManagedProcess.start({
    name: 'nginx',
    command: program,
    args: ['-p', directory, '-c', join(directory, 'nginx.conf')],
    cwd: directory,
    user: unprivilegedUser(),
    logFile: options.logFile,
  });
  try {
    await process.ready(() => accepts(port), { deadlineMs: 10_000, signal: options.signal });
    return process;
  } catch (error) {
    await process.stop('SIGTERM', 1_000);
    throw error;
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
