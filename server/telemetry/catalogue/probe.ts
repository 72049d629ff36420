/** Metrics of a probe: what the service looks like from outside. */
import type { Catalogue } from '../definition.ts';
import { SECONDS } from '../definition.ts';

/** Steps of a probe's round, in order. `audit`: what was received is compared with what was acknowledged. */
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
    help: 'Rounds of the probe by result.',
    why: 'Whether the service works for somebody who is not us. The SLO of the probe counts these.',
    labels: { result: ['ok', 'failed'] },
  },
  'holdfast.probe.success': {
    type: 'gauge',
    unit: '{round}',
    help: '1 after a round that went well, 0 after one that did not.',
    why: 'The state of this moment, per zone.',
  },
  'holdfast.probe.failures': {
    type: 'counter',
    unit: '{round}',
    help: 'Failed rounds by the phase they failed in.',
    why: 'Where to look first: `publish` is Postgres, `receive` Redis and the tails, `ticket` and `connect` the way in.',
    labels: { phase: PROBE_PHASES },
  },
  'holdfast.probe.phase.seconds': {
    type: 'histogram',
    unit: 's',
    help: 'Duration of each phase of a round.',
    why: 'What a user waits for, network and load balancer included.',
    labels: { phase: PROBE_PHASES },
    buckets: SECONDS,
  },
  'holdfast.probe.messages': {
    type: 'counter',
    unit: '{message}',
    help: 'Messages of the probe by what the auditor found: each is `received` once, in order, or it is a finding.',
    why: 'Anything but `received` breaks the promise of Holdfast, and is a page.',
    labels: { finding: ['received', 'lost', 'duplicated', 'reordered', 'altered'] },
  },
  'holdfast.probe.paths': {
    type: 'counter',
    unit: '{round}',
    help: 'Rounds by whether publisher and receiver were on the same node.',
    why: 'A probe that never crosses nodes does not test Redis.',
    labels: { path: ['same_node', 'other_node'] },
  },
} as const satisfies Catalogue;
