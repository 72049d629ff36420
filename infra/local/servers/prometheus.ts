/**
 * A real Prometheus on loopback: scrapes the given targets, evaluates rules, answers queries. Never installs
 * Prometheus.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManagedProcess } from '../../host/managed-process.ts';
import { freePort } from '../../host/ports.ts';
import { findProgram } from '../../host/programs.ts';
import { removeTemporary, temporaryDirectory } from '../../host/reaper.ts';

export interface ScrapeTarget {
  readonly job: 'holdfast' | 'probe';
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** Labels added to its series. Without `instance`, Prometheus uses the address. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface PrometheusOptions {
  readonly targets: readonly ScrapeTarget[];
  /** Rule files: name -> text. */
  readonly rules: Readonly<Record<string, string>>;
  /** Interval of scrapes and of rule evaluations, milliseconds. */
  readonly intervalMs: number;
  /**
   * Time for which the last sample of a series stays valid, milliseconds. The default of Prometheus is five minutes.
   */
  readonly lookbackMs?: number;
  readonly port?: number;
  readonly logFile: string;
  readonly signal?: AbortSignal | undefined;
}

/** Reason for messages when there is no Prometheus. */
export const PROMETHEUS_MISSING = 'prometheus is not on the PATH';

/** Path of prometheus, or undefined. */
export function findPrometheus(): string | undefined {
  return findProgram('prometheus');
}

/** One series of a result. Values are strings, as Prometheus returns them: `NaN`, `+Inf`. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  /** Pairs of Unix seconds and value. */
  readonly values: readonly (readonly [number, string])[];
}

export interface FiringAlert {
  readonly name: string;
  readonly state: 'pending' | 'firing';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export class PrometheusServer {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly process: ManagedProcess;
  readonly #directory: string;

  private constructor(url: string, directory: string, process: ManagedProcess) {
    this.url = url;
    this.process = process;
    this.#directory = directory;
  }

  /**
   * Starts a server with an empty store and waits until it is ready.
   * @throws Error when prometheus is missing or refuses a rule, with the reason
   */
  static async start(options: PrometheusOptions): Promise<PrometheusServer> {
    const program = findPrometheus();
    if (program === undefined) throw new Error(`${PROMETHEUS_MISSING}.`);
    const port = options.port ?? (await freePort());
    const directory = temporaryDirectory('prometheus');
    const url = `http://127.0.0.1:${port}`;
    let process: ManagedProcess | undefined;
    try {
      writeConfig(directory, options);
      process = await ManagedProcess.start({
        name: 'prometheus',
        command: program,
        args: [
          `--config.file=${join(directory, 'prometheus.yml')}`,
          `--storage.tsdb.path=${join(directory, 'data')}`,
          `--web.listen-address=127.0.0.1:${port}`,
          ...(options.lookbackMs ? [`--query.lookback-delta=${options.lookbackMs}ms`] : []),
          '--log.level=warn',
        ],
        cwd: directory,
        logFile: options.logFile,
      });
      const ready = async () => (await fetch(`${url}/-/ready`, { signal: AbortSignal.timeout(1_000) })).ok;
      await process.ready(ready, { deadlineMs: 20_000, signal: options.signal });
      return new PrometheusServer(url, directory, process);
    } catch (error) {
      await process?.stop('SIGTERM', 2_000);
      removeTemporary(directory);
      throw error;
    }
  }

  /** The current value of each series. @throws Error with the message of Prometheus */
  async query(expr: string): Promise<Series[]> {
    const result = await this.#get<{ metric: Series['metric']; value: [number, string] }[]>('query', { query: expr });
    return result.map(({ metric, value }) => ({ metric, values: [value] }));
  }

  /** Values of the last `seconds`, one per `step` seconds. @throws Error with the message of Prometheus */
  queryRange(expr: string, seconds: number, step: number): Promise<Series[]> {
    const now = Date.now() / 1_000;
    return this.#get('query_range', {
      query: expr,
      start: String(now - seconds),
      end: String(now),
      step: String(step),
    });
  }

  async alerts(): Promise<FiringAlert[]> {
    const { alerts } = await this.#fetch<{ alerts: (Omit<FiringAlert, 'name'> & { labels: { alertname: string } })[] }>(
      'alerts',
    );
    return alerts.map(({ state, labels, annotations }) => ({ name: labels.alertname, state, labels, annotations }));
  }

  /** Names of the firing alerts, without duplicates. */
  async firing(): Promise<string[]> {
    return [...new Set((await this.alerts()).flatMap(({ state, name }) => (state === 'firing' ? [name] : [])))].sort();
  }

  async stop(): Promise<void> {
    await this.process.stop('SIGTERM', 5_000);
    removeTemporary(this.#directory);
  }

  async #get<T>(path: string, parameters: Readonly<Record<string, string>>): Promise<T> {
    return (await this.#fetch<{ result: T }>(path, parameters)).result;
  }

  async #fetch<T>(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters)}`, {
      signal: AbortSignal.timeout(20_000),
    });
    const body = (await response.json()) as { status: string; error?: string; data: T };
    if (body.status !== 'success') throw new Error(`Prometheus refused ${JSON.stringify(parameters)}: ${body.error}`);
    return body.data;
  }
}

function writeConfig(directory: string, { targets, rules, intervalMs }: PrometheusOptions): void {
  mkdirSync(join(directory, 'rules'));
  for (const [name, text] of Object.entries(rules)) writeFileSync(join(directory, 'rules', `${name}.yml`), text);
  const interval = `${intervalMs}ms`;
  const jobs = [...new Set(targets.map(({ job }) => job))].map((job) => ({
    job_name: job,
    static_configs: targets
      .filter((target) => target.job === job)
      .map(({ address, labels }) => ({ targets: [address], labels })),
  }));
  // JSON is valid YAML.
  const config = {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: ['rules/*.yml'],
    scrape_configs: jobs,
  };
  writeFileSync(join(directory, 'prometheus.yml'), JSON.stringify(config));
}
