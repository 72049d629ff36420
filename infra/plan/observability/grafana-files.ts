/** The files that Grafana finds at its start: where its data is, and the dashboards. Pure. */
import type { Asset } from './assets.ts';

export interface GrafanaFilesOptions {
  readonly region: string;
  /** `https://aps-workspaces.<region>.amazonaws.com/workspaces/<id>/` */
  readonly prometheusEndpoint: string;
  readonly dashboards: readonly Asset[];
}

/** Below it are Grafana's provisioning files, as a path in its container. */
export const PROVISIONING = '/etc/grafana/provisioning';

/** The uid by which the dashboards name their data source. */
export const DATA_SOURCE_UID = 'prometheus';

/** Path below PROVISIONING -> text. YAML is written as JSON, which it contains. */
export function grafanaFiles({ region, prometheusEndpoint, dashboards }: GrafanaFilesOptions): Record<string, string> {
  const dataSource = {
    uid: DATA_SOURCE_UID,
    name: 'Prometheus',
    type: 'prometheus',
    access: 'proxy',
    url: prometheusEndpoint,
    isDefault: true,
    editable: false,
    jsonData: {
      httpMethod: 'POST',
      sigV4Auth: true,
      sigV4AuthType: 'default',
      sigV4Region: region,
      // As often as the collectors scrape: rates look at four times that at least.
      timeInterval: '15s',
      manageAlerts: false,
    },
  };
  const provider = {
    name: 'holdfast',
    folder: 'Holdfast',
    type: 'file',
    // What is changed by hand is lost with the task: the dashboards are code.
    allowUiUpdates: false,
    options: { path: `${PROVISIONING}/dashboards` },
  };
  return {
    'datasources/prometheus.yaml': JSON.stringify({ apiVersion: 1, prune: true, datasources: [dataSource] }),
    'dashboards/holdfast.yaml': JSON.stringify({ apiVersion: 1, providers: [provider] }),
    ...Object.fromEntries(dashboards.map(({ name, text }) => [`dashboards/${name}.json`, text])),
  };
}
