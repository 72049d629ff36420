/**
 * A real PostgreSQL server on loopback, durable as in production (fsync on). It can be killed, paused, and restarted on
 * the same data. Owns the settings of the server; `postgres-binaries.ts` owns the programs, `postgres-data.ts` the data
 * directory.
 */
import { join } from 'node:path';
import pg from 'pg';
import { ManagedProcess } from '../../host/managed-process.ts';
import { freePort } from '../../host/ports.ts';
import { removeTemporary, temporaryDirectory } from '../../host/reaper.ts';
import { giveTo, type User, unprivilegedUser } from '../../host/unprivileged.ts';
import { type PostgresBinaries, postgresBinaries } from './postgres-binaries.ts';
import { prepareData, ROLE } from './postgres-data.ts';

export interface PostgresOptions {
  /** Default: a free port. */
  readonly port?: number | undefined;
  /** Kept on stop. Default: a temporary directory, removed on stop. */
  readonly dataDirectory?: string | undefined;
  readonly logFile: string;
  /** Further server settings (`log_statement: 'all'`). */
  readonly settings?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '256MB',
  // As in production: without fsync, tests of durability would prove nothing.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  max_wal_size: '2GB',
  log_line_prefix: '%m [%p] ',
} as const;

const DATABASE = 'holdfast';
const START_DEADLINE_MS = 30_000;

export class PostgresServer {
  /** URL of the database `holdfast`, with user and password. Restarts keep it. */
  readonly url: string;
  readonly port: number;
  readonly dataDirectory: string;
  readonly #command: () => Promise<ManagedProcess>;
  readonly #cleanUp: () => void;
  #process: ManagedProcess;

  private constructor(
    url: string,
    port: number,
    dataDirectory: string,
    command: () => Promise<ManagedProcess>,
    process: ManagedProcess,
    cleanUp: () => void,
  ) {
    this.url = url;
    this.port = port;
    this.dataDirectory = dataDirectory;
    this.#command = command;
    this.#process = process;
    this.#cleanUp = cleanUp;
  }

  /**
   * Starts a server and waits until it answers queries.
   * @throws Error with the end of its output when it does not
   */
  static async start(options: PostgresOptions): Promise<PostgresServer> {
    const user = unprivilegedUser();
    const binaries = await postgresBinaries(user);
    const temporary = options.dataDirectory === undefined ? temporaryDirectory('postgres') : undefined;
    const cleanUp = () => {
      binaries.remove();
      if (temporary !== undefined) removeTemporary(temporary);
    };
    try {
      if (temporary !== undefined) giveTo(user, temporary);
      const directory = options.dataDirectory ?? join(temporary ?? '', 'data');
      const password = await prepareData(binaries, directory, user, options.logFile);
      const port = options.port ?? (await freePort());
      const launch = () => startServer(binaries, directory, port, password, user, options);
      const process = await launch();
      return new PostgresServer(connectionUrl(port, password, DATABASE), port, directory, launch, process, cleanUp);
    } catch (error) {
      cleanUp();
      throw error;
    }
  }

  /** The running process, or the last one. Its `kill` also signals the backends, so SIGSTOP pauses the whole server. */
  get process(): ManagedProcess {
    return this.#process;
  }

  /** Stops the server if it still runs, and starts it on the same data and port. */
  async restart(): Promise<void> {
    await this.#halt();
    this.#process = await this.#command();
  }

  /** Disconnects clients, writes a checkpoint, exits. Removes a temporary data directory. */
  async stop(): Promise<void> {
    await this.#halt();
    this.#cleanUp();
  }

  /** SIGINT requests a fast shutdown of Postgres. */
  async #halt(): Promise<void> {
    await this.#process.stop('SIGINT', 15_000);
  }
}

async function startServer(
  binaries: PostgresBinaries,
  directory: string,
  port: number,
  password: string,
  user: User | undefined,
  options: PostgresOptions,
): Promise<ManagedProcess> {
  const deadline = performance.now() + START_DEADLINE_MS;
  for (;;) {
    const process = await ManagedProcess.start({
      name: 'postgres',
      command: binaries.postgres,
      args: ['-D', directory, '-p', String(port), ...settingArguments({ ...SETTINGS, ...options.settings })],
      cwd: directory,
      user,
      logFile: options.logFile,
    });
    try {
      await process.ready(() => ensureDatabase(port, password), {
        deadlineMs: START_DEADLINE_MS,
        signal: options.signal,
      });
      return process;
    } catch (error) {
      await process.stop('SIGQUIT', 2_000);
      // The backends of a killed server need a moment to exit. Until then its shared memory is in use.
      const busy = /shared memory block .* is still in use|lock file .* already exists/.test(process.output());
      if (!busy || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function settingArguments(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** Creates the database if it is missing. Returns true when the server answers and has it. */
async function ensureDatabase(port: number, password: string): Promise<boolean> {
  const client = new pg.Client({
    connectionString: connectionUrl(port, password, 'postgres'),
    connectionTimeoutMillis: 1_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
    return true;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function connectionUrl(port: number, password: string, database: string): string {
  return `postgres://${ROLE}:${password}@127.0.0.1:${port}/${database}`;
}
