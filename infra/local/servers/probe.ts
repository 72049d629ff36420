/**
 * A synthetic probe as a child process: runs the built `dist/server/probe/main.js`, configured by environment
 * variables.
 */

import { ManagedProcess } from '../../host/managed-process.ts';
import { PROBE_MAIN } from '../../host/paths.ts';
import { freePort } from '../../host/ports.ts';

export interface ProbeOptions {
  /** URL that clients connect to. */
  readonly url: string;
  /** AUTH_JWT_SECRET of the nodes. */
  readonly secret: string;
  readonly zone: string;
  readonly intervalMs: number;
  readonly logFile: string;
  readonly metricsPort?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export class ProbeProcess {
  readonly zone: string;
  /** `127.0.0.1:port` */
  readonly metricsAddress: string;
  readonly #launch: () => Promise<ManagedProcess>;
  #process: ManagedProcess;

  private constructor(
    zone: string,
    metricsAddress: string,
    launch: () => Promise<ManagedProcess>,
    process: ManagedProcess,
  ) {
    this.zone = zone;
    this.metricsAddress = metricsAddress;
    this.#launch = launch;
    this.#process = process;
  }

  /** Starts the probe and waits until it serves its metrics. @throws Error with the end of its log */
  static async start(options: ProbeOptions): Promise<ProbeProcess> {
    const port = options.metricsPort ?? (await freePort());
    const launch = () => startProcess(options, port);
    return new ProbeProcess(options.zone, `127.0.0.1:${port}`, launch, await launch());
  }

  get process(): ManagedProcess {
    return this.#process;
  }

  async restart(): Promise<void> {
    await this.stop();
    this.#process = await this.#launch();
  }

  /** Lets the probe finish its current round, for at most 15 s. */
  async stop(): Promise<void> {
    await this.#process.stop('SIGTERM', 15_000);
  }
}

async function startProcess(
  { url, secret, zone, intervalMs, logFile, env }: ProbeOptions,
  port: number,
): Promise<ManagedProcess> {
  const process = await ManagedProcess.start({
    name: `probe-${zone}`,
    command: globalThis.process.execPath,
    args: ['--enable-source-maps', PROBE_MAIN],
    env: {
      PATH: globalThis.process.env.PATH,
      ...env,
      PROBE_URL: url,
      PROBE_ZONE: zone,
      PROBE_INTERVAL_MS: String(intervalMs),
      AUTH_JWT_SECRET: secret,
      HOST: '127.0.0.1',
      METRICS_PORT: String(port),
    },
    logFile,
  });
  try {
    const answers = async () =>
      (await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(1_000) })).ok;
    await process.ready(answers, { deadlineMs: 20_000 });
    return process;
  } catch (error) {
    await process.stop('SIGTERM', 1_000);
    throw error;
  }
}
