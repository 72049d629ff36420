/** The only alert that always fires. Its receiver uses it to verify the whole path from Prometheus to the notification. */
import type { RuleGroup } from '../lib/rule.ts';

export const WATCHDOG: RuleGroup = {
  name: 'watchdog',
  alerts: [
    {
      alert: 'Watchdog',
      expr: 'vector(1)',
      severity: 'none',
      summary: 'Nothing: this alert always fires and shows that alerting works',
      description:
        'If the receiver stops getting this alert, no other alert would arrive either. First check that Prometheus evaluates the rules, then that the alert manager delivers.',
      threshold: 'It has no threshold: it must always fire.',
      board: 'overview',
    },
  ],
};
