/** What a metric is, and the types that follow from a table of them. Owns no metric. */

export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** UCUM: `s`, `By`, `1` for ratios, and in braces what is counted. */
  readonly unit: string;
  readonly help: string;
  /** What it tells the person on call. */
  readonly why: string;
  /** Label names with every value they take: counters start at zero for each. */
  readonly labels?: Readonly<Record<string, readonly string[]>>;
  readonly buckets?: readonly number[];
}

/** Metrics by their OpenTelemetry names. */
export type Catalogue = Readonly<Record<string, MetricDefinition>>;

/** Names of the metrics of a type. */
export type NamesOf<C extends Catalogue, T extends MetricDefinition['type']> = {
  [K in keyof C]: C[K] extends { type: T } ? K : never;
}[keyof C] &
  string;

/** Labels of a metric: all of its names, none others; undefined: it has none. */
export type LabelsOf<C extends Catalogue, K extends keyof C> = C[K] extends { labels: infer L }
  ? { readonly [N in keyof L]: L[N] extends readonly (infer V)[] ? V : never }
  : undefined;

/** From half a millisecond to ten seconds. */
export const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
export const COUNTS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000];

/**
 * The name under which Prometheus knows a metric, through the exporter and through OTLP alike: names end in their unit,
 * so that neither appends another. Histograms have `_bucket`, `_sum` and `_count` behind it.
 */
export function prometheusName(name: string, { type }: Pick<MetricDefinition, 'type'>): string {
  return name.replaceAll('.', '_') + (type === 'counter' ? '_total' : '');
}
