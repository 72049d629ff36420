/** The service from outside. */
import type { Board } from '../lib/panel.ts';
import { queries, share } from '../lib/query.ts';
import { PROBES } from './scope.ts';

const q = queries(PROBES);
const NO_PROBE = 'no probe runs here';

export const PROBES_BOARD: Board = {
  name: 'probes',
  title: 'Holdfast: probes',
  description:
    'The service from outside: connect, publish, receive on another node, drop, recover. Whatever the nodes say of themselves.',
  rows: [
    {
      title: 'Does it work',
      panels: [
        {
          title: 'Last round by zone',
          description: '1: the last round went well.',
          unit: 'short',
          alert: 'HoldfastProbeFailing',
          idle: NO_PROBE,
          queries: [{ expr: q.gauge('holdfast.probe.success', 'min', { by: ['zone'] }), legend: 'zone {{zone}}' }],
          min: 0,
          max: 1,
        },
        {
          title: 'Rounds',
          description: 'Per second, by result. None at all: the probes themselves are gone.',
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
            '`ticket` and `connect` are the way in, `publish` Postgres, `receive` Redis and the tails, `recover` the history, `audit` a broken promise.',
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
      title: 'How long does it take',
      panels: [
        {
          title: 'Phases, p99',
          description: 'What users wait for, network and load balancer included.',
          unit: 's',
          alert: 'HoldfastProbeBudgetBurn',
          idle: NO_PROBE,
          queries: [{ expr: q.quantile(0.99, 'holdfast.probe.phase.seconds', { by: ['phase'] }), legend: '{{phase}}' }],
          width: 12,
          min: 0,
        },
        {
          title: 'Phases, median',
          description: 'What half of the rounds take at most: the usual.',
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
      title: 'Is the promise kept',
      panels: [
        {
          title: 'What the auditor found',
          description: 'Messages of the probes per second. Anything but `received` is a broken promise.',
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
            'Share of rounds in which publisher and receiver were on different nodes: only those test Redis.',
          unit: 'percentunit',
          alert: 'HoldfastProbeFailing',
          idle: NO_PROBE,
          queries: [
            {
              expr: share(
                q.rate('holdfast.probe.paths', { where: { path: 'other_node' } }),
                q.rate('holdfast.probe.paths'),
              ),
              legend: 'across',
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
