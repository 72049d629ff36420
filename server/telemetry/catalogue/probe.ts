/** Metrics of a probe, which measures the service from outside. */
import type { Catalogue } from '../definition.ts';
import { SECONDS } from '../definition.ts';

/** Phases of a round, in order. `audit` compares the received messages with the acknowledged ones. */
export const PROBE_PHASES = [
  'ticket',
  'connect',
  'subscribe',
  'publish',
  'receive',
  'reconnect',
  'recover',
  'audit',
] as const;
export type ProbePhase = (typeof PROBE_PHASES)[number];

export const PROBE_METRICS = {
  'holdfast.probe.rounds': {
    type: 'counter',
    unit: '{round}',
    help: 'Rounds of the probe, by result.',
    why: 'Whether the service works for a client outside it. The SLO of the probe counts these.',
    labels: { result: ['ok', 'failed'] },
  },
  'holdfast.probe.success': {
    type: 'gauge',
    unit: '{round}',
    help: '1 after a successful round, 0 after a failed one.',
    why: 'The current state, per zone.',
  },
  'holdfast.probe.failures': {
    type: 'counter',
    unit: '{round}',
    help: 'Failed rounds, by the phase that failed.',
    why: 'Where to look first: `publish` Postgres, `receive` Redis and the tails, `ticket` and `connect` the load balancer and authentication.',
    labels: { phase: PROBE_PHASES },
  },
  'holdfast.probe.phase.seconds': {
    type: 'histogram',
    unit: 's',
    help: 'Duration of each finished phase of a round.',
    why: 'The latency that users see, including network and load balancer.',
    labels: { phase: PROBE_PHASES },
    buckets: SECONDS,
  },
  'holdfast.probe.messages': {
    type: 'counter',
    unit: '{message}',
    help: 'Messages of the probe, by finding of the auditor. `received`: once and in order.',
    why: 'Every other finding breaks the promise of Holdfast and pages the engineer on call.',
    labels: { finding: ['received', 'lost', 'duplicated', 'reordered', 'altered'] },
  },
  'holdfast.probe.paths': {
    type: 'counter',
    unit: '{round}',
    help: 'Rounds by whether publisher and receiver were connected to the same node.',
    why: 'A probe that never reaches two nodes does not test Redis.',
    labels: { path: ['same_node', 'other_node'] },
  },
} as const satisfies Catalogue;
