/** Rule files and dashboards as they lie in `dashboards/out`: what is there is deployed, under its file name. Reads files only. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Asset {
  /** File name without its ending. */
  readonly name: string;
  readonly text: string;
}

/** Where the links in them lead. */
export interface AssetUrls {
  /** Of the folder `runbooks`, without a slash at its end. */
  readonly runbooks: string;
  /** Of Grafana, without a slash at its end. Empty: there is none, and the path alone says which dashboard is meant. */
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
