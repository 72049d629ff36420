/** Alerts on what probes measure. A rule file of its own, because it is not loaded where no probes are deployed. */
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
      summary: 'The service fails as seen from zone {{ $labels.zone }}: all probe rounds fail',
      description:
        'No probe round in zone {{ $labels.zone }} succeeded in the last 3 minutes. If all zones fail at once, most likely the service is down; if one fails, its network or nodes. First look at the failing phase on the dashboard: it names the broken step.',
      threshold:
        'A probe starts a round every 10 s by default. If all rounds of 3 minutes fail, this is not an accident.',
      board: 'probes',
    },
    {
      alert: 'HoldfastProbeAbsent',
      expr: `${orZero(q.rate('holdfast.probe.rounds'))} == 0 or (count by (zone) (${reported} offset 1h) unless count by (zone) (${lately(reported, { range: '5m' })}))`,
      for: '5m',
      severity: 'ticket',
      summary: 'Nothing yet: no probe reports{{ with $labels.zone }} from zone {{ . }}{{ end }}',
      description:
        'No probe{{ with $labels.zone }} in zone {{ . }}{{ end }} has finished a round in the last 5 minutes, so the service is not checked from outside. Most likely the probe stopped, or its zone is down. First check that the probe runs, and read its log.',
      threshold:
        'A round takes seconds, and one starts every 10 s by default. A zone that had a probe an hour ago should have one.',
      board: 'probes',
    },
    {
      alert: 'HoldfastMessagesLost',
      expr: `sum by (finding) (increase(${q.select('holdfast.probe.messages', { not: { finding: 'received' } })}[15m])) > 0`,
      severity: 'page',
      summary: 'A delivery guarantee is broken: probe messages were {{ $labels.finding }}',
      description:
        '{{ $value | humanize }} acknowledged probe messages were {{ $labels.finding }} in 15 minutes. Holdfast guarantees that this never happens. If a backup was restored, this is the expected loss. Otherwise, first stop all changes and preserve the database and the logs of nodes and probe.',
      threshold: 'The guarantee allows none: a single message pages.',
      board: 'probes',
    },
  ],
};
