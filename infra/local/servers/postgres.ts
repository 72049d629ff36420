/**
 * A real PostgreSQL server on loopback, durable as in production (fsync on), that can be killed, paused and restarted
 * on the same data. Owns the server's settings; which programs and which data directory are `postgres-binaries` and
 * `-data`.
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
  /** Default: a free one. */
  readonly port?: number | undefined;
  /** Kept on stop. Default: a temporary directory, removed on stop. */
  readonly dataDirectory?: string | undefined;
  readonly logFile: string;
  /** Further settings of the server (`log_statement: 'all'`). */
  readonly settings?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '256MB',
  // The product's promise is durability: a local server that did not sync would prove nothing.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  max_wal_size: '2GB',
  log_line_prefix: '%m [%p] ',
} as const;

const DATABASE = 'holdfast';
const START_DEADLINE_MS = 30_000;

export class PostgresServer {
  /** Of the database `holdfast`, with user and password; stays the same across restarts. */
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

  /** The running server, or the last one. Its `kill` reaches the backends too: a pause is a pause of everything. */
  get process(): ManagedProcess {
    return this.#process;
  }

  /** Starts the server again on the same data and port, after stopping it if it still runs. */
  async restart(): Promise<void> {
    await this.#halt();
    this.#process = await this.#command();
  }

  /** Disconnects clients, writes a checkpoint, ends; a temporary data directory is removed. */
  async stop(): Promise<void> {
    await this.#halt();
    this.#cleanUp();
  }

  /** SIGINT is what Postgres calls a fast shutdown. */
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
      // The backends of a killed server need a moment to notice; until then its shared memory is in use.
      const busy = /shared memory block .* is still in use|lock file .* already exists/.test(process.output());
      if (!busy || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function settingArguments(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** True once the server answers and has our database. */
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
