/** The form of a metric definition, and types derived from a table of them. Defines no metric. */

export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** UCUM unit: `s`, `By`, `1` for ratios; for counts, what is counted, in braces. */
  readonly unit: string;
  /** What is measured. */
  readonly help: string;
  /** What the value means to the engineer on call. */
  readonly why: string;
  /** Label names with all their values. A counter starts at 0 for every combination. */
  readonly labels?: Readonly<Record<string, readonly string[]>>;
  readonly buckets?: readonly number[];
}

/** Metrics by their OpenTelemetry names. */
export type Catalogue = Readonly<Record<string, MetricDefinition>>;

/** Names of all metrics of one type. */
export type NamesOf<C extends Catalogue, T extends MetricDefinition['type']> = {
  [K in keyof C]: C[K] extends { type: T } ? K : never;
}[keyof C] &
  string;

/** Labels of a metric, each of them required. Undefined: it has none. */
export type LabelsOf<C extends Catalogue, K extends keyof C> = C[K] extends { labels: infer L }
  ? { readonly [N in keyof L]: L[N] extends readonly (infer V)[] ? V : never }
  : undefined;

/** Buckets from 0.5 ms to 10 s. */
export const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Buckets of numbers of messages and the like. */
export const COUNTS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000];

/**
 * Returns the Prometheus name of a metric. It is the same through the exporter and through OTLP, because names end in their
 * unit and neither appends another. The series of a histogram append `_bucket`, `_sum` and `_count`.
 */
export function prometheusName(name: string, { type }: Pick<MetricDefinition, 'type'>): string {
  return name.replaceAll('.', '_') + (type === 'counter' ? '_total' : '');
}
