/** The provisioning files of Grafana: its data source and the dashboards. Pure. */
import type { Asset } from './assets.ts';

export interface GrafanaFilesOptions {
  readonly region: string;
  /** `https://aps-workspaces.<region>.amazonaws.com/workspaces/<id>/` */
  readonly prometheusEndpoint: string;
  readonly dashboards: readonly Asset[];
}

/** Directory of the provisioning files in the container of Grafana. */
export const PROVISIONING = '/etc/grafana/provisioning';

/** Uid of the data source that the dashboards refer to. */
export const DATA_SOURCE_UID = 'prometheus';

/** Path below PROVISIONING -> text. The YAML files hold JSON, which is valid YAML. */
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
      // The collectors scrape every 15 s. Grafana derives the shortest range of a rate from it.
      timeInterval: '15s',
      manageAlerts: false,
    },
  };
  const provider = {
    name: 'holdfast',
    folder: 'Holdfast',
    type: 'file',
    // Changes in the browser would be lost with the task. Change the dashboards in the code.
    allowUiUpdates: false,
    options: { path: `${PROVISIONING}/dashboards` },
  };
  return {
    'datasources/prometheus.yaml': JSON.stringify({ apiVersion: 1, prune: true, datasources: [dataSource] }),
    'dashboards/holdfast.yaml': JSON.stringify({ apiVersion: 1, providers: [provider] }),
    ...Object.fromEntries(dashboards.map(({ name, text }) => [`dashboards/${name}.json`, text])),
  };
}
