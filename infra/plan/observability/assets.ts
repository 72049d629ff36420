/**
 * The rule files and dashboards that are deployed: all files in `dashboards/out`, with the URLs of this environment in
 * their links. Only reads files.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Asset {
  /** File name without its extension. */
  readonly name: string;
  readonly text: string;
}

/** Targets of the links in rules and dashboards. */
export interface AssetUrls {
  /** URL of the folder `runbooks`, without a slash at its end. */
  readonly runbooks: string;
  /**
   * URL of Grafana, without a slash at its end. Empty when there is none: links then hold only the path of the
   * dashboard.
   */
  readonly grafana: string;
}

const OUT = join(import.meta.dirname, '..', '..', '..', 'dashboards', 'out');

/** Prometheus rule files, `dashboards/out/rules/*.yml`. */
export function ruleFiles(urls: AssetUrls): Asset[] {
  return read(join(OUT, 'rules'), '.yml').map((asset) => withUrls(asset, urls));
}

/** Grafana dashboards, `dashboards/out/boards/*.json`. */
export function dashboardFiles(urls: AssetUrls): Asset[] {
  return read(join(OUT, 'boards'), '.json').map((asset) => withUrls(asset, urls));
}

function withUrls({ name, text }: Asset, { runbooks, grafana }: AssetUrls): Asset {
  return { name, text: text.replaceAll('@RUNBOOKS_URL@', runbooks).replaceAll('@GRAFANA_URL@', grafana) };
}

function read(directory: string, ending: string): Asset[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((file) => file.endsWith(ending))
    .sort()
    .map((file) => ({ name: file.slice(0, -ending.length), text: readFileSync(join(directory, file), 'utf8') }));
}
