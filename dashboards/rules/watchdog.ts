/** The one alert that always fires: whoever listens at the far end knows by it that the whole way still works. */
import type { RuleGroup } from '../lib/rule.ts';

export const WATCHDOG: RuleGroup = {
  name: 'watchdog',
  alerts: [
    {
      alert: 'Watchdog',
      expr: 'vector(1)',
      severity: 'none',
      summary: 'Alerting works',
      description: 'Always firing. If it is ever missing at the receiver, no other alert would arrive there either.',
      threshold: 'None: it is to fire.',
      board: 'overview',
    },
  ],
};
