/**
 * Builds PromQL from the metric catalogue. Names, labels and label values are types: a query of something that no node
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
/** Labels that the scrape adds: the node or probe, and the zone of a probe. */
type TargetLabel = 'instance' | 'zone';

export interface Selection<K extends MetricName> {
  /** Only series with these label values. */
  readonly where?: { readonly [L in keyof Labels<K>]?: Labels<K>[L] | readonly Labels<K>[L][] };
  /** Only series without these label values. */
  readonly not?: { readonly [L in keyof Labels<K>]?: Labels<K>[L] | readonly Labels<K>[L][] };
  readonly by?: readonly ((keyof Labels<K> & string) | TargetLabel)[];
}

type Combine = 'sum' | 'max' | 'min' | 'avg' | 'count';

export interface Scope {
  /** Range of rates: `5m`, or `$__rate_interval` in Grafana. */
  readonly range: string;
  /** Matchers added to every selector: `instance=~"$node"`. */
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
    /** Selector of a gauge or counter, without aggregation. */
    select: <K extends Gauge | Counter>(name: K, selection?: Selection<K>) => select(name, selection),
    /** Rate per second of a counter, summed. */
    rate: <K extends Counter>(name: K, selection?: Selection<K>) => sumRate(name, selection),
    /** Increase of a counter within the range, summed. */
    increase: <K extends Counter>(name: K, selection: Selection<K> = {}) =>
      `sum${by(selection.by)}(increase(${select(name, selection)}[${range}]))`,
    /** A gauge aggregated over all nodes. */
    gauge: <K extends Gauge>(name: K, combine: Combine, selection: Selection<K> = {}) =>
      `${combine}${by(selection.by)}(${select(name, selection)})`,
    /** A quantile (0 to 1) of a histogram over all nodes. NaN without observations in the range. */
    quantile: <K extends Histogram>(quantile: number, name: K, selection: Selection<K> = {}) =>
      `histogram_quantile(${quantile}, sum${by(['le', ...(selection.by ?? [])])}(rate(${select(name, selection, '_bucket')}[${range}])))`,
    /** Mean of the observations of a histogram. NaN without observations in the range. */
    mean: <K extends Histogram>(name: K, selection: Selection<K> = {}) =>
      `${sumRate(name, selection, '_sum')} / ${sumRate(name, selection, '_count')}`,
    /** Observations per second of a histogram. */
    observations: <K extends Histogram>(name: K, selection: Selection<K> = {}) => sumRate(name, selection, '_count'),
    /** Observations per second of at most `bound`. @throws Error when `bound` is not a bucket */
    within: <K extends Histogram>(name: K, bound: number, selection: Selection<K> = {}) => {
      const { buckets = [] }: MetricDefinition = ALL_METRICS[name];
      if (!buckets.includes(bound)) throw new Error(`${name} has no bucket of ${bound}; it has ${buckets.join(', ')}`);
      return sumRate(name, selection, '_bucket', `le="${bound}"`);
    },
  };
}

/**
 * The last value of each series that got a sample within `range`. Where nodes push their metrics, as on AWS, a plain selector
 * returns a node for 5 minutes after its end, and clients that have reconnected elsewhere would count twice.
 */
export function lately(
  selector: string,
  { range = '1m', offset = '' }: { range?: string; offset?: string } = {},
): string {
  return `last_over_time(${selector}[${range}]${offset && ` offset ${offset}`})`;
}

/** `query`, or 0 when it has no series. The result of `query` must have no labels. */
export function orZero(query: string): string {
  return `(${query} or vector(0))`;
}

/** `part / whole`, and 0 when both are 0. */
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
