/** Instruments made from the catalogue, behind three verbs. Everything else in the server records through this. */
import type { Attributes, Counter, Histogram, Meter } from '@opentelemetry/api';
import { type LabelsOf, METRICS, type MetricDefinition, type MetricName, type MetricNameOf } from './catalogue.ts';

type Labels<K extends MetricName> = LabelsOf<K> extends undefined ? [] : [labels: LabelsOf<K>];

export interface Metrics {
  /** Adds to a counter. */
  add<K extends MetricNameOf<'counter'>>(name: K, value: number, ...labels: Labels<K>): void;
  /** Records one observation of a histogram. */
  record<K extends MetricNameOf<'histogram'>>(name: K, value: number, ...labels: Labels<K>): void;
  /** Has a gauge read by `read` at every scrape. */
  observe<K extends MetricNameOf<'gauge'>>(name: K, read: () => number, ...labels: Labels<K>): void;
}

/** Makes all instruments at once; counters start at zero for every label value, so that a first increase is seen as one. */
export function createMetrics(meter: Meter): Metrics {
  const counters = new Map<string, Counter>();
  const histograms = new Map<string, Histogram>();
  for (const [name, definition] of Object.entries<MetricDefinition>(METRICS)) {
    const options = { description: definition.help, unit: definition.unit };
    if (definition.type === 'counter') {
      const counter = meter.createCounter(name, options);
      for (const labels of labelCombinations(definition.labels ?? {})) counter.add(0, labels);
      counters.set(name, counter);
    } else if (definition.type === 'histogram') {
      const advice = { explicitBucketBoundaries: [...(definition.buckets ?? [])] };
      histograms.set(name, meter.createHistogram(name, { ...options, advice }));
    }
  }
  return {
    add: (name, value, labels?: Attributes) => counters.get(name)?.add(value, labels),
    record: (name, value, labels?: Attributes) => histograms.get(name)?.record(value, labels),
    observe: (name, read, labels?: Attributes) => {
      const { help, unit } = METRICS[name];
      meter
        .createObservableGauge(name, { description: help, unit })
        .addCallback((result) => result.observe(read(), labels));
    },
  };
}

/** Metrics that go nowhere, for parts that run without a node around them. */
export const NO_METRICS: Metrics = { add: () => {}, record: () => {}, observe: () => {} };

function labelCombinations(labels: Readonly<Record<string, readonly string[]>>): Attributes[] {
  let combinations: Attributes[] = [{}];
  for (const [name, values] of Object.entries(labels)) {
    combinations = combinations.flatMap((rest) => values.map((value) => ({ ...rest, [name]: value })));
  }
  return combinations;
}
