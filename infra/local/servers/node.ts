/** One Holdfast node as a child process: the built `dist/server/main.js`, told by its environment what to be. */

import { ManagedProcess } from '../../host/managed-process.ts';
import { SERVER_MAIN } from '../../host/paths.ts';

export interface NodeOptions {
  readonly name: string;
  readonly port: number;
  readonly metricsPort: number;
  readonly logFile: string;
  /** Everything else that the node is told, such as DATABASE_URL. */
  readonly env: Readonly<Record<string, string>>;
  /** Address to listen on. Default 127.0.0.1, where `url` and `metricsUrl` must lead to the node in any case. */
  readonly host?: string;
  /** What to put in front of the command line; it must keep the process id, as `nsenter` does. */
  readonly prefix?: readonly [string, ...string[]];
  readonly signal?: AbortSignal | undefined;
}

/**
 * Longer than a node itself waits for its database (START_TIMEOUT_MS), so that the node is the one to say what is
 * wrong.
 */
const READY_DEADLINE_MS = 75_000;
const DEFAULT_DRAIN_MS = 30_000;
/** A node gives itself 10 s on top of its drain. */
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
   * Starts the node again under the same name and ports, after stopping it if it still runs; `env` is added for good.
   */
  async restart(env: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.stop();
    this.#options = { ...this.#options, env: { ...this.#options.env, ...env } };
    this.#process = await launch(this.#options);
  }

  /** Lets the node drain; it is killed when that takes longer than it should. */
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
