/** Runs Grafana, if it is installed, as a child process with provisioned data source and dashboards. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ALL_BOARDS } from '../../../dashboards/boards/index.ts';
import { grafanaDashboard } from '../../../dashboards/lib/grafana.ts';
import { ManagedProcess } from '../../host/managed-process.ts';
import { findProgram } from '../../host/programs.ts';
import { removeTemporary, temporaryDirectory } from '../../host/reaper.ts';

export interface GrafanaOptions {
  readonly program: string;
  readonly port: number;
  readonly prometheusUrl: string;
  readonly runbooksUrl: string;
  readonly logs: string;
  readonly signal: AbortSignal;
}

/** Path of grafana-server; undefined: not installed. */
export function findGrafana(): string | undefined {
  return findProgram('grafana-server');
}

/** Files of the provisioning directory: path -> text. Pure. */
export function provisioningFiles(
  prometheusUrl: string,
  runbooksUrl: string,
  directory: string,
): Record<string, string> {
  const dataSource = {
    uid: 'prometheus',
    name: 'Prometheus',
    type: 'prometheus',
    access: 'proxy',
    url: prometheusUrl,
    isDefault: true,
    jsonData: { timeInterval: '1s' },
  };
  const provider = { name: 'holdfast', folder: 'Holdfast', type: 'file', options: { path: join(directory, 'boards') } };
  return {
    'datasources/prometheus.yaml': JSON.stringify({ apiVersion: 1, datasources: [dataSource] }),
    'dashboards/holdfast.yaml': JSON.stringify({ apiVersion: 1, providers: [provider] }),
    ...Object.fromEntries(
      ALL_BOARDS.map((board) => [
        `boards/${board.name}.json`,
        JSON.stringify(grafanaDashboard(board)).replaceAll('@RUNBOOKS_URL@', runbooksUrl),
      ]),
    ),
  };
}

/** Allows anonymous viewers, because it listens on loopback only. @throws Error with the end of the log of Grafana */
export async function startGrafana({ program, port, prometheusUrl, runbooksUrl, logs, signal }: GrafanaOptions) {
  const directory = temporaryDirectory('grafana');
  for (const [path, text] of Object.entries(provisioningFiles(prometheusUrl, runbooksUrl, directory))) {
    mkdirSync(join(directory, path, '..'), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  const url = `http://127.0.0.1:${port}`;
  const process = await ManagedProcess.start({
    name: 'grafana',
    command: program,
    args: ['--homepath', '/usr/share/grafana'],
    env: {
      PATH: globalThis.process.env.PATH,
      GF_SERVER_HTTP_ADDR: '127.0.0.1',
      GF_SERVER_HTTP_PORT: String(port),
      GF_PATHS_DATA: join(directory, 'data'),
      GF_PATHS_LOGS: join(directory, 'logs'),
      GF_PATHS_PROVISIONING: directory,
      GF_AUTH_ANONYMOUS_ENABLED: 'true',
      GF_AUTH_ANONYMOUS_ORG_ROLE: 'Viewer',
      GF_ANALYTICS_REPORTING_ENABLED: 'false',
      GF_ANALYTICS_CHECK_FOR_UPDATES: 'false',
    },
    logFile: join(logs, 'grafana.log'),
  });
  const stop = async () => {
    await process.stop('SIGTERM', 10_000);
    removeTemporary(directory);
  };
  try {
    const healthy = async () => (await fetch(`${url}/api/health`, { signal: AbortSignal.timeout(1_000) })).ok;
    await process.ready(healthy, { deadlineMs: 60_000, signal });
    return { url, process, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
