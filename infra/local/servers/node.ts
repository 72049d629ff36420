/** One Holdfast node as a child process: runs the built `dist/server/main.js`, configured by environment variables. */

import { ManagedProcess } from '../../host/managed-process.ts';
import { SERVER_MAIN } from '../../host/paths.ts';

export interface NodeOptions {
  readonly name: string;
  readonly port: number;
  readonly metricsPort: number;
  readonly logFile: string;
  /** Further environment variables, such as DATABASE_URL. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * Address to listen on. Default: 127.0.0.1. With another one, the caller must forward `url` and `metricsUrl` to it.
   */
  readonly host?: string;
  /** A command that runs the node, such as `nsenter`. It must keep the process id. */
  readonly prefix?: readonly [string, ...string[]];
  readonly signal?: AbortSignal | undefined;
}

/**
 * Longer than the time that a node waits for its database (START_TIMEOUT_MS, 60 s), so that the node reports the reason
 * first.
 */
const READY_DEADLINE_MS = 75_000;
const DEFAULT_DRAIN_MS = 30_000;
/** A node exits at most 10 s after its drain. */
const STOP_GRACE_MS = 12_000;

export class HoldfastNode {
  readonly name: string;
  readonly port: number;
  /** `http://127.0.0.1:port`, and so on. */
  readonly url: string;
  readonly wsUrl: string;
  readonly metricsUrl: string;
  #options: NodeOptions;
  #process: ManagedProcess;

  private constructor(options: NodeOptions, process: ManagedProcess) {
    this.name = options.name;
    this.port = options.port;
    this.url = `http://127.0.0.1:${options.port}`;
    this.wsUrl = `ws://127.0.0.1:${options.port}/ws`;
    this.metricsUrl = `http://127.0.0.1:${options.metricsPort}/metrics`;
    this.#options = options;
    this.#process = process;
  }

  /**
   * Starts a node and waits until it answers GET /healthz.
   * @throws Error with the end of its log when it does not
   */
  static async start(options: NodeOptions): Promise<HoldfastNode> {
    return new HoldfastNode(options, await launch(options));
  }

  /** The running process, or the last one. */
  get process(): ManagedProcess {
    return this.#process;
  }

  /**
   * Stops the node if it still runs, and starts it with the same name and ports. Later restarts keep `env` too.
   */
  async restart(env: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.stop();
    this.#options = { ...this.#options, env: { ...this.#options.env, ...env } };
    this.#process = await launch(this.#options);
  }

  /** Lets the node drain, and kills it when that takes too long. */
  async stop(): Promise<void> {
    const drainMs = Number(this.#options.env.DRAIN_TIMEOUT_MS ?? DEFAULT_DRAIN_MS);
    await this.#process.stop('SIGTERM', drainMs + STOP_GRACE_MS);
  }
}

async function launch(options: NodeOptions): Promise<ManagedProcess> {
  const program = [globalThis.process.execPath, '--enable-source-maps', SERVER_MAIN] as const;
  const [command, ...args]: readonly [string, ...string[]] = options.prefix ? [...options.prefix, ...program] : program;
  const process = await ManagedProcess.start({
    name: options.name,
    command,
    args,
    env: {
      ...options.env,
      HOST: options.host ?? '127.0.0.1',
      PORT: String(options.port),
      METRICS_PORT: String(options.metricsPort),
      NODE_ID: options.name,
    },
    logFile: options.logFile,
  });
  try {
    await process.ready(() => isHealthy(options.port), { deadlineMs: READY_DEADLINE_MS, signal: options.signal });
    return process;
  } catch (error) {
    await process.stop('SIGTERM', 2_000);
    throw error;
  }
}

async function isHealthy(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  return response.status === 200;
}
