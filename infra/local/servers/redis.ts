/**
 * A real Redis on loopback, for the backplane and short-lived data. Keeps nothing on disk, because Holdfast needs none
 * of it after a restart. Never installs Redis; without it, callers work in degraded mode.
 */
import { connect } from 'node:net';
import { ManagedProcess } from '../../host/managed-process.ts';
import { freePort } from '../../host/ports.ts';
import { findProgram } from '../../host/programs.ts';
import { removeTemporary, temporaryDirectory } from '../../host/reaper.ts';

export interface RedisOptions {
  /** Default: a free port. */
  readonly port?: number | undefined;
  readonly logFile: string;
  /** Port of the primary on loopback, for a replica. */
  readonly replicaOf?: number;
  /** Further arguments of redis-server: `['--cluster-enabled', 'yes']`. */
  readonly args?: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** Reason for messages when there is no Redis. */
export const REDIS_MISSING = 'redis-server is not on the PATH';

/** Path of redis-server, or undefined. */
export function findRedis(): string | undefined {
  return findProgram('redis-server');
}

export class RedisServer {
  /** Restarts keep it. */
  readonly url: string;
  readonly port: number;
  readonly #launch: () => Promise<ManagedProcess>;
  readonly #directory: string;
  #process: ManagedProcess;

  private constructor(port: number, directory: string, launch: () => Promise<ManagedProcess>, process: ManagedProcess) {
    this.url = `redis://127.0.0.1:${port}`;
    this.port = port;
    this.#directory = directory;
    this.#launch = launch;
    this.#process = process;
  }

  /**
   * Starts a server and waits until it answers PING.
   * @throws Error when redis-server is missing or does not start
   */
  static async start(options: RedisOptions): Promise<RedisServer> {
    const program = findRedis();
    if (program === undefined) throw new Error(`${REDIS_MISSING}.`);
    const port = options.port ?? (await freePort());
    const directory = temporaryDirectory('redis');
    const launch = () => startServer(program, port, directory, options);
    try {
      return new RedisServer(port, directory, launch, await launch());
    } catch (error) {
      removeTemporary(directory);
      throw error;
    }
  }

  /** The running process, or the last one. */
  get process(): ManagedProcess {
    return this.#process;
  }

  /** Sends a command (`['REPLICAOF', 'NO', 'ONE']`). Resolves with the first line of the reply. */
  command(words: readonly string[]): Promise<string> {
    return ask(this.port, words);
  }

  /** Stops the server if it still runs, and starts it, empty, on the same port. */
  async restart(): Promise<void> {
    await this.#process.stop('SIGTERM', 5_000);
    this.#process = await this.#launch();
  }

  async stop(): Promise<void> {
    await this.#process.stop('SIGTERM', 5_000);
    removeTemporary(this.#directory);
  }
}

async function startServer(
  program: string,
  port: number,
  directory: string,
  options: RedisOptions,
): Promise<ManagedProcess> {
  const process = await ManagedProcess.start({
    name: 'redis',
    command: program,
    args: [...settings(port, directory, options.replicaOf), ...(options.args ?? [])],
    cwd: directory,
    logFile: options.logFile,
  });
  try {
    await process.ready(() => answersPing(port), { deadlineMs: 10_000, signal: options.signal });
    return process;
  } catch (error) {
    await process.stop('SIGTERM', 1_000);
    throw error;
  }
}

function settings(port: number, directory: string, replicaOf: number | undefined): string[] {
  return [
    ...['--bind', '127.0.0.1', '--port', String(port), '--dir', directory, '--daemonize', 'no'],
    ...['--save', '', '--appendonly', 'no'],
    // Never evicts tickets and presence silently: a full Redis answers with an error, which Holdfast counts.
    ...['--maxmemory', '256mb', '--maxmemory-policy', 'noeviction'],
    // Disconnects a node that reads too slowly, at 64 MB of unread output or 16 MB for 60 s. It then catches up from
    // the history.
    ...['--client-output-buffer-limit', 'pubsub', '64mb', '16mb', '60'],
    ...(replicaOf === undefined ? [] : ['--replicaof', `127.0.0.1 ${replicaOf}`]),
  ];
}

async function answersPing(port: number): Promise<boolean> {
  return (await ask(port, ['PING']).catch(() => '')) === '+PONG';
}

/**
 * Sends one command over a new connection. A client library would add reconnects and buffering, which a readiness check
 * must not have.
 */
function ask(port: number, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = [`*${words.length}`, ...words.flatMap((word) => [`$${Buffer.byteLength(word)}`, word]), ''];
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(request.join('\r\n')));
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(1_000, () => fail(new Error('Redis did not answer within 1 s.')));
    socket.once('error', fail);
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString().split('\r\n')[0] ?? '');
    });
  });
}
