/**
 * A real Redis server on loopback, from the PATH: the backplane and the short-lived stores. Keeps nothing on disk, as
 * Holdfast needs nothing of it there. Never installs Redis: where it is missing, callers go on without and say so.
 */
import { connect } from 'node:net';
import { ManagedProcess } from '../../host/managed-process.ts';
import { freePort } from '../../host/ports.ts';
import { findProgram } from '../../host/programs.ts';
import { removeTemporary, temporaryDirectory } from '../../host/reaper.ts';

export interface RedisOptions {
  /** Default: a free one. */
  readonly port?: number | undefined;
  readonly logFile: string;
  /** Port of the server on loopback to follow as its replica. */
  readonly replicaOf?: number;
  /** Further arguments of redis-server: `['--cluster-enabled', 'yes']`. */
  readonly args?: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** Why there is no Redis, for messages. */
export const REDIS_MISSING = 'redis-server is not on the PATH';

/** Path of redis-server, or undefined. */
export function findRedis(): string | undefined {
  return findProgram('redis-server');
}

export class RedisServer {
  /** Stays the same across restarts. */
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

  /** The running server, or the last one. */
  get process(): ManagedProcess {
    return this.#process;
  }

  /** Sends a command as redis-cli would (`['REPLICAOF', 'NO', 'ONE']`); resolves to the first line of the answer. */
  command(words: readonly string[]): Promise<string> {
    return ask(this.port, words);
  }

  /** Starts the server again, empty, on the same port, after stopping it if it still runs. */
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
    // Tickets and presence must not be evicted silently: a full Redis answers with an error instead, and Holdfast
    // counts it.
    ...['--maxmemory', '256mb', '--maxmemory-policy', 'noeviction'],
    // A node that reads too slowly is cut off: 64 MB at once, or 16 MB for 60 s. It then catches up from the history.
    ...['--client-output-buffer-limit', 'pubsub', '64mb', '16mb', '60'],
    ...(replicaOf === undefined ? [] : ['--replicaof', `127.0.0.1 ${replicaOf}`]),
  ];
}

async function answersPing(port: number): Promise<boolean> {
  return (await ask(port, ['PING']).catch(() => '')) === '+PONG';
}

/** One command over a connection of its own: no client library could say less of a server that is not ready. */
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
