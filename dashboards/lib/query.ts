/**
 * PromQL from the metric catalogue: names, labels and label values are types, so that a query of something that no node
 * exports does not compile. Pure.
 */
import { ALL_METRICS } from '../../server/telemetry/catalogue.ts';
import {
  type LabelsOf,
  type MetricDefinition,
  type NamesOf,
  prometheusName,
} from '../../server/telemetry/definition.ts';

type All = typeof ALL_METRICS;
export type MetricName = keyof All & string;
type Counter = NamesOf<All, 'counter'>;
type Gauge = NamesOf<All, 'gauge'>;
type Histogram = NamesOf<All, 'histogram'>;

type Labels<K extends MetricName> = LabelsOf<All, K> extends undefined ? Record<never, never> : LabelsOf<All, K>;
/** What the scrape adds: which node or probe, and for probes where it stands. */
type TargetLabel = 'instance' | 'zone';

export interface Selection<K extends MetricName> {
  /** Only these values of these labels. */
  readonly where?: { readonly [L in keyof Labels<K>]?: Labels<K>[L] | readonly Labels<K>[L][] };
  /** All but these. */
  readonly not?: { readonly [L in keyof Labels<K>]?: Labels<K>[L] | readonly Labels<K>[L][] };
  readonly by?: readonly ((keyof Labels<K> & string) | TargetLabel)[];
}

type Combine = 'sum' | 'max' | 'min' | 'avg' | 'count';

export interface Scope {
  /** Range of rates: `5m`, or Grafana's `$__rate_interval`. */
  readonly range: string;
  /** Matchers that every selector gets: `instance=~"$node"`. */
  readonly match?: string;
}

export type Queries = ReturnType<typeof queries>;

/** Query builders that share a range and matchers. All return PromQL. */
export function queries({ range, match = '' }: Scope) {
  const select = <K extends MetricName>(name: K, selection: Selection<K> = {}, suffix = '', extra = ''): string => {
    const matchers = [match, extra, ...matchersOf(selection.where, '='), ...matchersOf(selection.not, '!=')];
    const all = matchers.filter(Boolean).join(', ');
    return `${prometheusName(name, ALL_METRICS[name])}${suffix}${all && `{${all}}`}`;
  };
  const sumRate = <K extends MetricName>(name: K, selection: Selection<K> = {}, suffix = '', extra = '') =>
    `sum${by(selection.by)}(rate(${select(name, selection, suffix, extra)}[${range}]))`;
  return {
    /** The bare selector of a gauge or counter. */
    select: <K extends Gauge | Counter>(name: K, selection?: Selection<K>) => select(name, selection),
    /** Increase per second of a counter, summed. */
    rate: <K extends Counter>(name: K, selection?: Selection<K>) => sumRate(name, selection),
    /** Increase of a counter within the range, summed. */
    increase: <K extends Counter>(name: K, selection: Selection<K> = {}) =>
      `sum${by(selection.by)}(increase(${select(name, selection)}[${range}]))`,
    /** A gauge over all nodes. */
    gauge: <K extends Gauge>(name: K, combine: Combine, selection: Selection<K> = {}) =>
      `${combine}${by(selection.by)}(${select(name, selection)})`,
    /** A quantile (0 to 1) of a histogram over all nodes. NaN while nothing is observed. */
    quantile: <K extends Histogram>(quantile: number, name: K, selection: Selection<K> = {}) =>
      `histogram_quantile(${quantile}, sum${by(['le', ...(selection.by ?? [])])}(rate(${select(name, selection, '_bucket')}[${range}])))`,
    /** Mean of what a histogram observed. NaN while nothing is. */
    mean: <K extends Histogram>(name: K, selection: Selection<K> = {}) =>
      `${sumRate(name, selection, '_sum')} / ${sumRate(name, selection, '_count')}`,
    /** Observations per second of a histogram. */
    observations: <K extends Histogram>(name: K, selection: Selection<K> = {}) => sumRate(name, selection, '_count'),
    /** Observations per second that were at most `bound`, which must be one of the buckets. */
    within: <K extends Histogram>(name: K, bound: number, selection: Selection<K> = {}) => {
      const { buckets = [] }: MetricDefinition = ALL_METRICS[name];
      if (!buckets.includes(bound)) throw new Error(`${name} has no bucket of ${bound}; it has ${buckets.join(', ')}`);
      return sumRate(name, selection, '_bucket', `le="${bound}"`);
    },
  };
}

/**
 * The last value of a bare selector, of whoever reported within `range`. The selector by itself shows a node that is gone for
 * five minutes where nodes report by themselves, as on AWS: its clients would count twice once they are back elsewhere.
 */
export function lately(
  selector: string,
  { range = '1m', offset = '' }: { range?: string; offset?: string } = {},
): string {
  return `last_over_time(${selector}[${range}]${offset && ` offset ${offset}`})`;
}

/** 0 where `query`, which must have no labels left, has no series at all. */
export function orZero(query: string): string {
  return `(${query} or vector(0))`;
}

/** A share that is 0 while there is nothing to share. */
export function share(part: string, whole: string): string {
  return `${part} / clamp_min(${whole}, 1e-9)`;
}

function by(labels: readonly string[] = []): string {
  return labels.length > 0 ? ` by (${labels.join(', ')}) ` : '';
}

type Values = Readonly<Record<string, string | readonly string[] | undefined>>;

function matchersOf(labels: object | undefined, operator: '=' | '!='): string[] {
  return Object.entries((labels ?? {}) as Values).map(([label, value]) =>
    Array.isArray(value)
      ? `${label}${operator === '=' ? '=~' : '!~'}"${value.join('|')}"`
      : `${label}${operator}"${value}"`,
  );
}
