/** Names and URLs of dashboards and runbooks. The deployment replaces `@RUNBOOKS_URL@` and `@GRAFANA_URL@`. Pure. */

/** Names of the dashboards. The uid is `holdfast-<name>` and must not change: bookmarks and links use it. */
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
