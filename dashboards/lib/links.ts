/** Where things are found. `@RUNBOOKS_URL@` and `@GRAFANA_URL@` are put in by whoever deploys the files. Pure. */

/** Dashboards by what they are about; `holdfast-<name>` is the uid, which bookmarks and links hold on to. */
export const BOARDS = [
  'overview',
  'connections',
  'delivery',
  'redis',
  'postgres',
  'nodes',
  'probes',
  'capacity',
  'slo',
] as const;
export type BoardName = (typeof BOARDS)[number];

export const boardUid = (board: BoardName) => `holdfast-${board}`;

export const RUNBOOKS_URL = '@RUNBOOKS_URL@';
export const GRAFANA_URL = '@GRAFANA_URL@';

export const runbookUrl = (alert: string) => `${RUNBOOKS_URL}/alerts/${alert}.md`;
export const dashboardUrl = (board: BoardName) => `${GRAFANA_URL}/d/${boardUid(board)}`;
