/** What probes see. In a file of its own: where no probes are deployed, it is not loaded. */
import { lately, orZero, queries } from '../lib/query.ts';
import type { RuleGroup } from '../lib/rule.ts';
import { SLOS, sloAlerts, sloRecordings } from '../lib/slo.ts';

const slos = SLOS.filter(({ name }) => name === 'probe');
const q = queries({ range: '5m' });
const reported = q.select('holdfast.probe.success');

export const PROBE_RULES: RuleGroup = {
  name: 'probes',
  recordings: slos.flatMap(sloRecordings),
  alerts: [
    ...slos.flatMap(sloAlerts),
    {
      alert: 'HoldfastProbeFailing',
      expr: `max by (zone) (max_over_time(${q.select('holdfast.probe.success')}[3m])) == 0`,
      for: '1m',
      severity: 'page',
      summary: 'All rounds of a zone’s probe fail (zone {{ $labels.zone }})',
      description:
        'For minutes not one round of the probe in zone {{ $labels.zone }} went well. In all zones at once it is the service; in one, that zone’s network or nodes.',
      threshold: 'A probe makes several rounds in three minutes: all failing is no accident.',
      board: 'probes',
    },
    {
      alert: 'HoldfastProbeAbsent',
      expr: `${orZero(q.rate('holdfast.probe.rounds'))} == 0 or (count by (zone) (${reported} offset 1h) unless count by (zone) (${lately(reported, { range: '5m' })}))`,
      for: '5m',
      severity: 'ticket',
      summary: 'No probe reports{{ with $labels.zone }} from zone {{ . }}{{ end }}',
      description:
        'No probe{{ with $labels.zone }} of zone {{ . }}{{ end }} has finished a round for minutes: nobody looks at the service from there. A zone that is gone takes its probe with it.',
      threshold:
        'A round takes seconds and is made at least once a minute. A zone that had a probe an hour ago should have one.',
      board: 'probes',
    },
    {
      alert: 'HoldfastMessagesLost',
      expr: `sum by (finding) (increase(${q.select('holdfast.probe.messages', { not: { finding: 'received' } })}[15m])) > 0`,
      severity: 'page',
      summary: 'Messages of the probe were {{ $labels.finding }}',
      description:
        'The probe published messages, was told that they are stored, and they were {{ $labels.finding }}. This is what Holdfast promises never to do. If a backup was restored, it is the expected loss; if not, keep the logs and the history as they are.',
      threshold: 'One is too many.',
      board: 'probes',
    },
  ],
};
