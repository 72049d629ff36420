/** Metric catalogue, dashboards, rules and runbooks must match: every metric is shown, and every metric shown is exported. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ALL_BOARDS } from '../../../dashboards/boards/index.ts';
import { generatedFiles, stalePaths } from '../../../dashboards/generate.ts';
import { grafanaDashboard } from '../../../dashboards/lib/grafana.ts';
import { BOARDS, boardUid } from '../../../dashboards/lib/links.ts';
import { panelsOf } from '../../../dashboards/lib/panel.ts';
import { metricsIn } from '../../../dashboards/lib/promql.ts';
import { ALERTS, RULE_GROUPS } from '../../../dashboards/rules/index.ts';
import { ROOT } from '../../../infra/host/paths.ts';
import { ALL_METRICS } from '../../../server/telemetry/catalogue.ts';
import { type MetricDefinition, prometheusName } from '../../../server/telemetry/definition.ts';

/** Series of a metric as Prometheus stores them. */
const seriesOf = ([name, definition]: [string, MetricDefinition]) =>
  definition.type === 'histogram'
    ? ['_bucket', '_sum', '_count'].map((suffix) => prometheusName(name, definition) + suffix)
    : [prometheusName(name, definition)];
const exported = new Map(Object.entries<MetricDefinition>(ALL_METRICS).map((entry) => [entry[0], seriesOf(entry)]));
const recorded = RULE_GROUPS.flatMap(({ recordings = [] }) => recordings.map(({ record }) => record));
/** Series that Prometheus and the exporter add. */
const BUILT_IN = ['up', 'ALERTS', 'target_info'];
const known = new Set([...[...exported.values()].flat(), ...recorded, ...BUILT_IN]);

const expressions = [
  ...ALL_BOARDS.flatMap((board) =>
    panelsOf(board).flatMap(({ title, queries }) =>
      queries.map(({ expr }) => ({ where: `${board.name}: ${title}`, expr })),
    ),
  ),
  ...RULE_GROUPS.flatMap(({ recordings = [], alerts }) => [
    ...recordings.map(({ record, expr }) => ({ where: record, expr })),
    ...alerts.map(({ alert, expr }) => ({ where: alert, expr })),
  ]),
];

test('every metric that an expression names is exported or recorded', () => {
  const unknown = expressions.flatMap(({ where, expr }) =>
    metricsIn(expr).flatMap((name) => (known.has(name) ? [] : [`${where}: ${name}`])),
  );
  expect(unknown).toEqual([]);
});

test('every metric is shown on a dashboard', () => {
  const shown = new Set(
    ALL_BOARDS.flatMap((board) =>
      panelsOf(board).flatMap(({ queries }) => queries.flatMap(({ expr }) => metricsIn(expr))),
    ),
  );
  // A recorded series shows the metrics that it is computed from.
  for (const { recordings = [] } of RULE_GROUPS)
    for (const { record, expr } of recordings)
      if (shown.has(record)) for (const name of metricsIn(expr)) shown.add(name);
  // The metric of game days is shown as an annotation on every dashboard.
  const annotated = ALL_BOARDS.flatMap((board) =>
    (grafanaDashboard(board).annotations?.list ?? []).flatMap(({ expr = '' }) => metricsIn(expr)),
  );
  for (const name of annotated) shown.add(name);
  const hidden = [...exported].filter(([, series]) => !series.some((name) => shown.has(name))).map(([name]) => name);
  expect(hidden).toEqual([]);
});

test('every recorded series is used', () => {
  const used = new Set(expressions.flatMap(({ expr }) => metricsIn(expr)));
  expect(recorded.filter((name) => !used.has(name))).toEqual([]);
});

test('generated files are up to date (npm run dashboards)', () => {
  expect(stalePaths()).toEqual([]);
  expect(generatedFiles().size).toBeGreaterThan(40);
});

/** Characters that fit a notification on a phone. */
const SUMMARY_MAX = 80;
const DESCRIPTION_MAX = 300;

/** An alert text with long values in place of its templates. */
function rendered(text: string): string {
  return text
    .replaceAll('{{ $labels.instance }}', '10.30.128.200:9464')
    .replaceAll('{{ $labels.kind }}', 'resident')
    .replaceAll('{{ $labels.finding }}', 'duplicated')
    .replaceAll(/\{\{ \$value[^}]*\}\}/g, '12.34%')
    .replaceAll(/\{\{ with [^}]*\}\}|\{\{ end \}\}/g, '')
    .replaceAll(/\{\{ (\.|\$labels\.zone) \}\}/g, 'us-east-1a');
}

test('alert texts use only templates whose length is known', () => {
  for (const { summary, description } of ALERTS) expect(rendered(summary + description)).not.toContain('{{');
});

describe('alerts', () => {
  test.each(ALERTS.map((alert) => [alert.alert, alert] as const))('%s', (name, alert) => {
    expect(name).toMatch(/^(Holdfast[A-Z][A-Za-z]+|Watchdog)$/);
    expect(existsSync(join(ROOT, 'runbooks', 'alerts', `${name}.md`))).toBe(true);
    for (const text of [alert.summary, alert.description, alert.threshold]) expect(text.length).toBeGreaterThan(10);
    expect(alert.summary).not.toMatch(/\.$/);
    expect(rendered(alert.summary).length).toBeLessThanOrEqual(SUMMARY_MAX);
    expect(rendered(alert.description).length).toBeLessThanOrEqual(DESCRIPTION_MAX);
    expect(BOARDS).toContain(alert.board);
  });

  test('have unique names', () => {
    const names = ALERTS.map(({ alert }) => alert);
    expect(new Set(names).size).toBe(names.length);
  });

  test('have one runbook each, and no other runbook exists', () => {
    const pages = readdirSync(join(ROOT, 'runbooks', 'alerts')).map((file) => file.replace('.md', ''));
    expect(pages.sort()).toEqual([...ALERTS.map(({ alert }) => alert), 'README'].sort());
  });
});

describe('dashboards', () => {
  const alerts = new Set([...ALERTS.map(({ alert }) => alert), 'README']);

  test('are complete, with unique uids and panel ids', () => {
    expect(ALL_BOARDS.map(({ name }) => name)).toEqual(BOARDS);
    const built = ALL_BOARDS.map(grafanaDashboard);
    expect(built.map(({ uid }) => uid)).toEqual(BOARDS.map(boardUid));
    for (const { panels = [] } of built) {
      const ids = panels.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  test.each(ALL_BOARDS.map((board) => [board.name, board] as const))(
    '%s: every panel has a unit, a description and a runbook',
    (_, board) => {
      for (const panel of panelsOf(board)) {
        expect(panel.unit).not.toBe('');
        expect([panel.title, panel.description.length > 10]).toEqual([panel.title, true]);
        expect([panel.title, alerts.has(panel.alert)]).toEqual([panel.title, true]);
        expect(panel.queries.length).toBeGreaterThan(0);
      }
    },
  );

  test.each(ALL_BOARDS.map((board) => [board.name, board] as const))('%s: panels do not overlap', (_, board) => {
    const cells = new Set<string>();
    for (const { gridPos } of grafanaDashboard(board).panels ?? []) {
      if (!gridPos) throw new Error('A panel has no position.');
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells.has(`${x} ${y}`)).toBe(false);
          cells.add(`${x} ${y}`);
        }
    }
  });
});

describe('the Prometheus exporter and OTLP give a metric the same name', () => {
  test.each(Object.entries<MetricDefinition>(ALL_METRICS))('%s', (name, definition) => {
    expect(otlpName(name, definition)).toBe(prometheusName(name, definition));
  });

  test('the naming rule of OTLP adds missing units and suffixes', () => {
    expect(otlpName('fanout.duration', { type: 'histogram', unit: 's' })).toBe('fanout_duration_seconds');
    expect(otlpName('bytes.sent', { type: 'counter', unit: 'By' })).toBe('bytes_sent_bytes_total');
    expect(otlpName('loop.utilization', { type: 'gauge', unit: '1' })).toBe('loop_utilization_ratio');
  });
});

/**
 * The Prometheus name of an OTLP metric (UnderscoreEscapingWithSuffixes, prometheus/otlptranslator, metric_namer.go). The unit
 * is appended unless the name ends in it (in some versions: unless it is one of the words). A unit in braces is omitted. A
 * gauge of unit 1 gets `ratio`, a counter gets `total` at the end.
 */
function otlpName(name: string, { type, unit }: Pick<MetricDefinition, 'type' | 'unit'>): string {
  const units: Readonly<Record<string, string>> = { s: 'seconds', By: 'bytes', '1': '' };
  let words = name.split(/[^A-Za-z0-9]+/);
  const word = unit.startsWith('{') ? '' : (units[unit] ?? unit);
  if (word && words.at(-1) !== word) words.push(word);
  if (type === 'counter') words = [...words.filter((one) => one !== 'total'), 'total'];
  if (unit === '1' && type === 'gauge') words = [...words.filter((one) => one !== 'ratio'), 'ratio'];
  return words.join('_');
}
