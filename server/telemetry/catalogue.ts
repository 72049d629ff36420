/**
 * Every metric. Instruments and documents are generated from it, and dashboards and alerts are checked against it. Names end
 * in their unit, so that the Prometheus exporter and OTLP produce the same name.
 */
import { DELIVERY } from './catalogue/delivery.ts';
import { EDGE } from './catalogue/edge.ts';
import { GAME_DAY_METRICS } from './catalogue/game-day.ts';
import { PROBE_METRICS } from './catalogue/probe.ts';
import { PROCESS } from './catalogue/process.ts';
import { PUBLISHING } from './catalogue/publishing.ts';

export { CLOSE_LABELS } from './catalogue/edge.ts';
export { PROBE_METRICS, PROBE_PHASES, type ProbePhase } from './catalogue/probe.ts';

/** Metrics of a node. */
export const METRICS = { ...EDGE, ...PUBLISHING, ...DELIVERY, ...PROCESS } as const;

/** Metrics of nodes, probes and game days. */
export const ALL_METRICS = { ...METRICS, ...PROBE_METRICS, ...GAME_DAY_METRICS } as const;
