/** Burn-rate alerts of what nodes measure themselves; the probes' are in `probes.ts`. */
import type { RuleGroup } from '../lib/rule.ts';
import { SLOS, sloAlerts, sloRecordings } from '../lib/slo.ts';

const slos = SLOS.filter(({ name }) => name !== 'probe');

export const SLO_RULES: RuleGroup = {
  name: 'slo',
  recordings: slos.flatMap(sloRecordings),
  alerts: slos.flatMap(sloAlerts),
};
