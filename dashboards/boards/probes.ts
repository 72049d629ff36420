/** The probes dashboard: the service as measured from outside. */
import type { Board } from '../lib/panel.ts';
import { queries, share } from '../lib/query.ts';
import { PROBES } from './scope.ts';

const q = queries(PROBES);
const NO_PROBE = 'no probe is deployed';

export const PROBES_BOARD: Board = {
  name: 'probes',
  title: 'Holdfast: probes',
  description:
    'Does the service work from outside? Each probe round connects, publishes, receives on another node, loses its connection and recovers.',
  rows: [
    {
      title: 'Rounds',
      panels: [
        {
          title: 'Last round by zone',
          description:
            '1: the last probe round succeeded. 0: it failed. Normal is 1. If all zones are 0, the service is down.',
          unit: 'short',
          alert: 'HoldfastProbeFailing',
          idle: NO_PROBE,
          queries: [{ expr: q.gauge('holdfast.probe.success', 'min', { by: ['zone'] }), legend: 'zone {{zone}}' }],
          min: 0,
          max: 1,
        },
        {
          title: 'Rounds by result',
          description: 'Probe rounds per second. Without any round the probes do not run: check their processes.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastProbeAbsent',
          idle: NO_PROBE,
          queries: [{ expr: q.rate('holdfast.probe.rounds', { by: ['result'] }), legend: '{{result}}' }],
          min: 0,
        },
        {
          title: 'Failures by phase',
          description:
            'Failed rounds per second. Normal is 0. `ticket`, `connect`: handshakes. `publish`: Postgres. `receive`: Redis. `recover`: history. `audit`: a broken delivery guarantee.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastProbeBudgetBurn',
          idle: NO_PROBE,
          queries: [{ expr: q.rate('holdfast.probe.failures', { by: ['phase'] }), legend: '{{phase}}' }],
          min: 0,
        },
      ],
    },
    {
      title: 'Latency',
      panels: [
        {
          title: 'Phase duration, p99',
          description:
            'Time that users wait, including network and load balancer. Compare with the median to see whether all rounds are slow or only some.',
          unit: 's',
          alert: 'HoldfastProbeBudgetBurn',
          idle: NO_PROBE,
          queries: [{ expr: q.quantile(0.99, 'holdfast.probe.phase.seconds', { by: ['phase'] }), legend: '{{phase}}' }],
          width: 12,
          min: 0,
        },
        {
          title: 'Phase duration, median',
          description:
            'Half of the rounds take at most this long: the normal value for this network. A lasting rise affects all users.',
          unit: 's',
          alert: 'HoldfastProbeBudgetBurn',
          idle: NO_PROBE,
          queries: [{ expr: q.quantile(0.5, 'holdfast.probe.phase.seconds', { by: ['phase'] }), legend: '{{phase}}' }],
          width: 12,
          min: 0,
        },
      ],
    },
    {
      title: 'Delivery guarantee',
      panels: [
        {
          title: 'Audited messages by finding',
          description:
            'Messages of the probes per second. Normal is `received`. Any other finding breaks the delivery guarantee: preserve logs and database.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastMessagesLost',
          idle: NO_PROBE,
          queries: [{ expr: q.rate('holdfast.probe.messages', { by: ['finding'] }), legend: '{{finding}}' }],
          width: 12,
          min: 0,
        },
        {
          title: 'Rounds across nodes',
          description:
            'Share of rounds with publisher and receiver on different nodes. Only those test Redis. It is about 94 % with two nodes, more with three, and 0 % with one.',
          unit: 'percentunit',
          alert: 'HoldfastProbeFailing',
          idle: NO_PROBE,
          queries: [
            {
              expr: share(
                q.rate('holdfast.probe.paths', { where: { path: 'other_node' } }),
                q.rate('holdfast.probe.paths'),
              ),
              legend: 'across nodes',
            },
          ],
          width: 12,
          min: 0,
          max: 1,
        },
      ],
    },
  ],
};
