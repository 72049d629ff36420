/** Creates the instruments of a catalogue. All other code records metrics through the three functions of `Instruments`. */
import type { Attributes, Histogram, Meter } from '@opentelemetry/api';
import type { METRICS } from './catalogue.ts';
import type { Catalogue, LabelsOf, MetricDefinition, NamesOf } from './definition.ts';

type LabelArguments<C extends Catalogue, K extends keyof C> =
  LabelsOf<C, K> extends undefined ? [] : [labels: LabelsOf<C, K>];

export interface Instruments<C extends Catalogue> {
  /** Adds to a counter. */
  add<K extends NamesOf<C, 'counter'>>(name: K, value: number, ...labels: LabelArguments<C, K>): void;
  /** Records one observation of a histogram. */
  record<K extends NamesOf<C, 'histogram'>>(name: K, value: number, ...labels: LabelArguments<C, K>): void;
  /** Registers a gauge that calls `read` at every scrape. While `read` returns undefined, nothing is exported. */
  observe<K extends NamesOf<C, 'gauge'>>(
    name: K,
    read: () => number | undefined,
    ...labels: LabelArguments<C, K>
  ): void;
}

/** The instruments of a node. */
export type Metrics = Instruments<typeof METRICS>;

/** One label combination of a counter. */
interface Series {
  readonly labels: Attributes;
  value: number;
}

/**
 * Creates all instruments at once. Counters start at 0 for every label combination, so that `increase()` includes the first
 * event. Counters are plain numbers that are read at each scrape, because an OpenTelemetry counter hashes its attributes at
 * every `add`, which measurably slowed each publish.
 */
export function createInstruments<C extends Catalogue>(meter: Meter, catalogue: C): Instruments<C> {
  const counters = new Map<string, Map<string, Series>>();
  const histograms = new Map<string, Histogram>();
  for (const [name, definition] of Object.entries<MetricDefinition>(catalogue)) {
    if (definition.type === 'counter') counters.set(name, createCounter(meter, name, definition));
    else if (definition.type === 'histogram') histograms.set(name, createHistogram(meter, name, definition));
  }
  return {
    add: (name, value, labels?: Attributes) => {
      const series = counters.get(name)?.get(keyOf(labels));
      if (series) series.value += value;
    },
    record: (name, value, labels?: Attributes) => histograms.get(name)?.record(value, labels),
    observe: (name, read, labels?: Attributes) => {
      const { help, unit } = catalogue[name] as MetricDefinition;
      const gauge = meter.createObservableGauge(name, { description: help, unit });
      gauge.addCallback((result) => {
        const value = read();
        if (value !== undefined) result.observe(value, labels);
      });
    },
  };
}

function createCounter(meter: Meter, name: string, { help, unit, labels = {} }: MetricDefinition): Map<string, Series> {
  const all = new Map(
    labelCombinations(labels).map((combination) => [keyOf(combination), { labels: combination, value: 0 }]),
  );
  meter.createObservableCounter(name, { description: help, unit }).addCallback((result) => {
    for (const series of all.values()) result.observe(series.value, series.labels);
  });
  return all;
}

function createHistogram(meter: Meter, name: string, { help, unit, buckets = [] }: MetricDefinition): Histogram {
  const advice = { explicitBucketBoundaries: [...buckets] };
  return meter.createHistogram(name, { description: help, unit, advice });
}

/** Returns the label values in the order of their names. The types require exactly the labels of the metric. */
function keyOf(labels: Attributes | undefined): string {
  if (!labels) return '';
  const names = Object.keys(labels);
  if (names.length === 1) return String(labels[names[0] as string]);
  return names
    .sort()
    .map((name) => String(labels[name]))
    .join(' ');
}

/** Discards all metrics, for parts that run outside a node. */
export const NO_METRICS: Metrics = { add: () => {}, record: () => {}, observe: () => {} };

function labelCombinations(labels: Readonly<Record<string, readonly string[]>>): Attributes[] {
  let combinations: Attributes[] = [{}];
  for (const [name, values] of Object.entries(labels)) {
    combinations = combinations.flatMap((rest) => values.map((value) => ({ ...rest, [name]: value })));
  }
  return combinations;
}
