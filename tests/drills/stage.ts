/**
 * The environment of a drill: a real cluster with a light load and a probe, scraped by two Prometheus servers that have the
 * rules of the product with compressed time. One compresses 1 hour to 1 minute, the other, for alerts that look back for
 * days, to 3 seconds.
 */
import { join } from 'node:path';
import pg from 'pg';
import { compressGroup } from '../../dashboards/lib/compressed.ts';
import { ruleFile } from '../../dashboards/lib/rule.ts';
import { RULE_GROUPS } from '../../dashboards/rules/index.ts';
import { removeTemporary, temporaryDirectory } from '../../infra/host/reaper.ts';
import { type LightLoad, startLightLoad } from '../../infra/local/observe/light-load.ts';
import { ProbeProcess } from '../../infra/local/servers/probe.ts';
import { PrometheusServer, type ScrapeTarget } from '../../infra/local/servers/prometheus.ts';
import { NO_RATE_LIMITS } from '../support/cluster.ts';
import { type FaultyCluster, startFaultyCluster } from '../support/faults/faulty-cluster.ts';
import { TcpProxy } from '../support/faults/tcp-proxy.ts';
import { eventually } from '../support/wait.ts';

/** Factors by which time is compressed. */
export const FACTORS = [60, 1_200] as const;
export type Factor = (typeof FACTORS)[number];

/** Scrape and evaluation interval, milliseconds: four scrapes in 2 minutes, the shortest range of a rate, at factor 60. */
const INTERVAL_MS = 500;
/** Lookback delta, milliseconds. The default of 5 minutes would be 5 s at factor 60; a few scrapes are the minimum. */
const LOOKBACK_MS = 3_000;
/** Interval of probe rounds, milliseconds: at factor 60 a round every 30 s. */
const PROBE_INTERVAL_MS = 500;

/** Small limits that a few hundred clients can reach. */
const NODE_ENV = {
  ...NO_RATE_LIMITS,
  MAX_CONNECTIONS: '250',
  MAX_CONNECTIONS_PER_USER: '1000',
  HISTORY_QUEUE_MAX: '400',
  HISTORY_MAINTENANCE_INTERVAL_MS: '1000',
  PG_STATEMENT_TIMEOUT_MS: '3000',
  REDIS_CANARY_INTERVAL_MS: '200',
  REDIS_CANARY_TIMEOUT_MS: '800',
  SEND_HIGH_WATER_BYTES: '65536',
  SLOW_CONSUMER_MAX_MS: '500',
  LOG_LEVEL: 'error',
} as const;

export interface Stage {
  readonly faulty: FaultyCluster;
  readonly prometheus: Readonly<Record<Factor, PrometheusServer>>;
  readonly probe: ProbeProcess;
  /** Proxy between the probe and the load balancer. */
  readonly probeLink: TcpProxy;
  readonly load: LightLoad;
  /** A token with permission for every channel. */
  readonly token: string;
  /** Runs a statement as the owner of the database, without the proxy. */
  sql(statement: string): Promise<void>;
  stop(): Promise<void>;
}

/** @throws Error of the first part that failed to start, after stopping the others */
export async function setStage(): Promise<Stage> {
  const stops: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    for (const end of stops.splice(0).reverse()) await end();
  };
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    stops.push(() => part.stop());
    return part;
  };
  try {
    const logs = temporaryDirectory('alerts');
    stops.push(() => removeTemporary(logs));
    const faulty = keep(await startFaultyCluster({ nginx: true, ownPostgres: true, env: NODE_ENV }));
    const { cluster } = faulty;
    const probeLink = keep(await TcpProxy.start(Number(new URL(cluster.url).port)));
    const probe = keep(
      await ProbeProcess.start({
        url: probeLink.through(cluster.url).replace(/\/$/, ''),
        secret: cluster.secret,
        zone: '1',
        intervalMs: PROBE_INTERVAL_MS,
        logFile: join(logs, 'probe.log'),
        env: { PROBE_TIMEOUT_MS: '2000', LOG_LEVEL: 'warn' },
      }),
    );
    const load = keep(
      await startLightLoad({
        url: cluster.url,
        token: (user) => cluster.token({ user }),
        users: 20,
        channels: 5,
        messagesPerSecond: 30,
        comingAndGoingPerSecond: 2,
      }),
    );
    const prometheus = {
      60: keep(await startPrometheus(faulty, probe, 60, logs)),
      1200: keep(await startPrometheus(faulty, probe, 1_200, logs)),
    };
    // Prometheus takes 5 s to discover its targets, which is minutes in compressed time.
    await eventually(
      async () => {
        for (const factor of FACTORS)
          if ((await prometheus[factor].query('up == 1')).length < 3)
            throw new Error('Prometheus has not discovered all targets.');
        const firing = await prometheus[60].firing();
        if (firing.join() !== 'Watchdog')
          throw new Error(`Only Watchdog may fire before the drill; firing: ${firing.join(', ') || 'nothing'}.`);
      },
      { timeoutMs: 60_000 },
    );
    const token = await cluster.token({ user: 'stage' });
    return { faulty, prometheus, probe, probeLink, load, token, sql: (text) => execute(faulty, text), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function startPrometheus(faulty: FaultyCluster, probe: ProbeProcess, factor: Factor, logs: string) {
  const targets: ScrapeTarget[] = faulty.cluster.nodes.map(({ name, metricsUrl }) => ({
    job: 'holdfast',
    address: new URL(metricsUrl).host,
    labels: { instance: name },
  }));
  targets.push({ job: 'probe', address: probe.metricsAddress, labels: { zone: probe.zone } });
  const rules = Object.fromEntries(
    RULE_GROUPS.map((group) => [group.name, ruleFile(compressGroup(group, factor))] as const),
  );
  const logFile = join(logs, `prometheus-${factor}.log`);
  return PrometheusServer.start({ targets, rules, intervalMs: INTERVAL_MS, lookbackMs: LOOKBACK_MS, logFile });
}

async function execute(faulty: FaultyCluster, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: faulty.directDatabaseUrl });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
