/**
 * Makes Grafana JSON from boards, with the Foundation SDK of Grafana, whose types reject what Grafana would reject.
 * Panel ids are derived from titles, so that links to a panel survive a new position. Pure.
 */
import { createHash } from 'node:crypto';
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';
import { BOARDS, type BoardName, boardUid, RUNBOOKS_URL } from './links.ts';
import type { Board, Panel, Threshold } from './panel.ts';

/** The data source chosen in the dashboard variable; default: the provisioned one. */
const DATA_SOURCE = { type: 'prometheus', uid: `$\{datasource}` };
/** Equals the scrape interval. Grafana makes `$__rate_interval` at least four times as long. */
const SCRAPE_INTERVAL = '15s';

export function grafanaDashboard(board: Board): dashboard.Dashboard {
  const builder = new dashboard.DashboardBuilder(board.title)
    .uid(boardUid(board.name))
    .description(board.description)
    .tags(['holdfast'])
    .readonly()
    .timezone('browser')
    .refresh('30s')
    .time({ from: 'now-1h', to: 'now' })
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .variables(variables())
    .annotations(annotations())
    .links(links(board.name));
  for (const { title, panels } of board.rows) {
    builder.withRow(new dashboard.RowBuilder(title));
    for (const panel of panels) builder.withPanel(panelBuilder(panel));
  }
  return tidy(builder.build());
}

function variables() {
  const runbooks = new dashboard.ConstantVariableBuilder('runbooks').value(RUNBOOKS_URL).build();
  return [
    new dashboard.DatasourceVariableBuilder('datasource')
      .label('Data source')
      .type('prometheus')
      .current({ selected: true, text: 'Prometheus', value: 'prometheus' }),
    new dashboard.QueryVariableBuilder('node')
      .label('Node')
      .datasource(DATA_SOURCE)
      .query('label_values(holdfast_connections, instance)')
      .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
      .sort(dashboard.VariableSort.AlphabeticalAsc)
      .multi(true)
      .includeAll(true)
      .allValue('.+')
      .current({ selected: true, text: 'All', value: '$__all' }),
    { build: () => ({ ...runbooks, hide: dashboard.VariableHide.HideVariable }) },
  ];
}

/** Marks on every graph: node starts (deployments or crashes), firing alerts, game days. */
function annotations() {
  const named = (name: string, color: string) =>
    new dashboard.AnnotationQueryBuilder().name(name).datasource(DATA_SOURCE).enable(true).iconColor(color);
  return [
    named('Node starts', 'blue')
      .expr('holdfast_start_time_seconds * 1000')
      .useValueForTime(true)
      .step('30s')
      .titleFormat('Node started')
      .textFormat('{{instance}}'),
    named('Alerts', 'red')
      .expr('ALERTS{alertstate="firing", alertname=~"Holdfast.+"}')
      .step('30s')
      .titleFormat('{{alertname}}')
      .tagKeys('severity,instance'),
    // The series is exported by the program that runs the game day.
    named('Game days', 'purple')
      .expr('holdfast_gameday_active == 1')
      .step('30s')
      .titleFormat('Game day: {{gameday}}')
      .tagKeys('phase'),
  ];
}

/** Links to the other dashboards that keep time range and variables. */
function links(current: BoardName) {
  return BOARDS.filter((name) => name !== current).map((name) =>
    new dashboard.DashboardLinkBuilder(name)
      .type(dashboard.DashboardLinkType.Link)
      .icon('dashboard')
      .url(`/d/${boardUid(name)}`)
      .keepTime(true)
      .includeVars(true),
  );
}

type AnyPanelBuilder = timeseries.PanelBuilder | stat.PanelBuilder | table.PanelBuilder;

function panelBuilder(panel: Panel): AnyPanelBuilder {
  const { title, description, unit, width = 8, height = 8, idle, alert, min, max } = panel;
  const builder = shape(panel)
    .id(panelId(title))
    .title(title)
    .description(idle ? `${description}\n\nNo data: ${idle}` : description)
    .datasource(DATA_SOURCE)
    .interval(SCRAPE_INTERVAL)
    .unit(unit)
    .span(width)
    .height(height)
    .links([
      new dashboard.DashboardLinkBuilder(`Runbook: ${alert}`)
        .type(dashboard.DashboardLinkType.Link)
        .url(`$\{runbooks}/alerts/${alert}.md`)
        .targetBlank(true),
    ]);
  if (idle) builder.noValue(idle);
  if (min !== undefined) builder.min(min);
  if (max !== undefined) builder.max(max);
  if (panel.thresholds) builder.thresholds(thresholds(panel.thresholds));
  panel.queries.forEach(({ expr, legend }, i) => {
    const query = new prometheus.DataqueryBuilder()
      .expr(expr)
      .legendFormat(legend)
      .refId(refId(i))
      .datasource(DATA_SOURCE);
    const newestOnly = panel.kind === 'table';
    builder.withTarget(newestOnly ? query.instant().format(prometheus.PromQueryFormat.Table) : query.range());
  });
  return builder;
}

function shape({ kind = 'lines' }: Panel): AnyPanelBuilder {
  if (kind === 'value')
    return new stat.PanelBuilder()
      .graphMode(common.BigValueGraphMode.Area)
      .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']));
  if (kind === 'table') return new table.PanelBuilder();
  const lines = new timeseries.PanelBuilder()
    .lineWidth(1)
    .fillOpacity(kind === 'stack' ? 40 : 8)
    .showPoints(common.VisibilityMode.Never)
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(
      new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending),
    );
  if (kind !== 'stack') return lines;
  return lines.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal));
}

function thresholds(steps: readonly Threshold[]) {
  return new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps(steps.map(({ color, value }) => ({ color, value: value ?? null })));
}

/**
 * Corrects two defaults of the SDK: it hides links and annotations in a menu, and gives all rows the same id.
 */
function tidy(built: dashboard.Dashboard): dashboard.Dashboard {
  const text = JSON.stringify(built, (key, value) =>
    key === 'placement' && value === 'inControlsMenu' ? undefined : value,
  );
  const copy = JSON.parse(text) as dashboard.Dashboard;
  for (const panel of copy.panels ?? []) if (panel.type === 'row') panel.id = panelId(`row ${panel.title}`);
  return copy;
}

const refId = (index: number) => String.fromCharCode(65 + index);

/** Derived from the title alone; from 1 to 2^31 - 1. */
export function panelId(title: string): number {
  return (createHash('sha256').update(title).digest().readUInt32BE() % (2 ** 31 - 2)) + 1;
}
