/** Rule files and dashboards as they lie in `dashboards/`: what is there is deployed, under its file name. Reads files only. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Asset {
  /** File name without its ending. */
  readonly name: string;
  readonly text: string;
}

const DASHBOARDS = join(import.meta.dirname, '..', '..', 'dashboards');

/** Prometheus rule files, `dashboards/rules/*.yml`; their unit tests, `*.test.yml`, are none. */
export function ruleFiles(directory = join(DASHBOARDS, 'rules')): Asset[] {
  return read(directory, '.yml').filter(({ name }) => !name.endsWith('.test'));
}

/** Grafana dashboards, `dashboards/out/*.json`. */
export function dashboardFiles(directory = join(DASHBOARDS, 'out')): Asset[] {
  return read(directory, '.json');
}

function read(directory: string, ending: string): Asset[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((file) => file.endsWith(ending))
    .sort()
    .map((file) => ({ name: file.slice(0, -ending.length), text: readFileSync(join(directory, file), 'utf8') }));
}
