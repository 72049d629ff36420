/**
 * The processes that observe a local cluster: probe, load, Prometheus, page, and Grafana if it is installed. Starts and
 * stops them together.
 */
import { join } from 'node:path';
import { ruleFile } from '../../../dashboards/lib/rule.ts';
import { RULE_GROUPS } from '../../../dashboards/rules/index.ts';
import type { ManagedProcess } from '../../host/managed-process.ts';
import { installPackages, whyNotInstallable } from '../../host/packages.ts';
import { isFree } from '../../host/ports.ts';
import { removeTemporary, temporaryDirectory } from '../../host/reaper.ts';
import type { Cluster } from '../servers/cluster.ts';
import { ProbeProcess } from '../servers/probe.ts';
import { findPrometheus, PROMETHEUS_MISSING, PrometheusServer, type ScrapeTarget } from '../servers/prometheus.ts';
import { findGrafana, startGrafana } from './grafana.ts';
import { startLightLoad } from './light-load.ts';
import { ObservePage } from './page.ts';

export interface ObserveOptions {
  readonly pagePort: number;
  readonly prometheusPort: number;
  readonly grafanaPort: number;
  readonly users: number;
  readonly messages: number;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface Observing {
  readonly pageUrl: string;
  readonly processes: readonly ManagedProcess[];
  stop(): Promise<void>;
}

const SCRAPE_MS = 1_000;
const PROBE_INTERVAL_MS = 2_000;
const INSTALL_TIMEOUT_MS = 180_000;

/** @throws Error with a message for the user at the terminal, after stopping what had been started */
export async function startObserving(cluster: Cluster, options: ObserveOptions): Promise<Observing> {
  const { say, signal } = options;
  await requirePrometheus(options);
  await checkPorts(options);
  const stops: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    for (const end of stops.splice(0).reverse()) await end();
  };
  const keep = <T extends { stop(): Promise<void> | void }>(part: T): T => {
    stops.push(() => part.stop());
    return part;
  };
  try {
    const logs = temporaryDirectory('observe');
    stops.push(() => removeTemporary(logs));
    const probe = keep(
      await ProbeProcess.start({
        url: cluster.url,
        secret: cluster.secret,
        zone: 'local',
        intervalMs: PROBE_INTERVAL_MS,
        logFile: join(logs, 'probe.log'),
      }),
    );
    const pageUrl = `http://127.0.0.1:${options.pagePort}`;
    const urls = { runbooks: `${pageUrl}/runbooks`, dashboards: pageUrl };
    const prometheus = keep(
      await PrometheusServer.start({
        port: options.prometheusPort,
        targets: targetsOf(cluster, probe),
        rules: rulesWith(urls),
        intervalMs: SCRAPE_MS,
        logFile: join(logs, 'prometheus.log'),
        signal,
      }),
    );
    keep(await ObservePage.start(options.pagePort, prometheus));
    if (options.users > 0) keep(await startLoad(cluster, options));
    const grafana = findGrafana();
    const running = grafana
      ? keep(
          await startGrafana({
            program: grafana,
            port: options.grafanaPort,
            prometheusUrl: prometheus.url,
            runbooksUrl: urls.runbooks,
            logs,
            signal,
          }),
        )
      : undefined;
    say(describe(pageUrl, prometheus.url, running?.url));
    return {
      pageUrl,
      processes: [probe.process, prometheus.process, ...(running ? [running.process] : [])],
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function startLoad(cluster: Cluster, { users, messages }: ObserveOptions) {
  return startLightLoad({
    url: cluster.url,
    token: (user) => cluster.token({ user }),
    users,
    channels: Math.max(2, Math.ceil(users / 5)),
    messagesPerSecond: messages,
    comingAndGoingPerSecond: 0.5,
  });
}

async function requirePrometheus({ say, signal }: ObserveOptions): Promise<void> {
  if (findPrometheus() !== undefined) return;
  let why = whyNotInstallable();
  if (why === undefined) {
    say('Installing prometheus with apt-get; this happens only once …');
    why = await installPackages(['prometheus'], INSTALL_TIMEOUT_MS, signal);
    signal.throwIfAborted();
  }
  if (findPrometheus() === undefined)
    throw new Error(
      `${PROMETHEUS_MISSING}, and ${why ?? 'apt-get did not install it'}. Install it: apt-get install prometheus`,
    );
}

async function checkPorts({ pagePort, prometheusPort }: ObserveOptions): Promise<void> {
  const wanted = [
    { port: pagePort, what: 'the dashboards', flag: '--page-port' },
    { port: prometheusPort, what: 'Prometheus', flag: '--prometheus-port' },
  ];
  for (const { port, what, flag } of wanted)
    if (!(await isFree(port)))
      throw new Error(
        `Port ${port}, for ${what}, is taken by another process. Choose another one: npm run observe -- ${flag} ${port + 1_000}`,
      );
}

function targetsOf(cluster: Cluster, probe: ProbeProcess): ScrapeTarget[] {
  return [
    ...cluster.nodes.map(({ name, metricsUrl }) => ({
      job: 'holdfast' as const,
      address: new URL(metricsUrl).host,
      labels: { instance: name },
    })),
    { job: 'probe', address: probe.metricsAddress, labels: { zone: probe.zone } },
  ];
}

function rulesWith({ runbooks, dashboards }: { readonly runbooks: string; readonly dashboards: string }) {
  return Object.fromEntries(
    RULE_GROUPS.map((group) => [
      group.name,
      ruleFile(group).replaceAll('@RUNBOOKS_URL@', runbooks).replaceAll('@GRAFANA_URL@', dashboards),
    ]),
  );
}

function describe(page: string, prometheus: string, grafana: string | undefined): string {
  return `
  Dashboards ${page}/
  Prometheus ${prometheus}/
  Grafana    ${grafana ? `${grafana}/` : 'not installed; the page above shows the same dashboards'}`;
}
