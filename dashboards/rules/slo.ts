/** Burn-rate alerts of the SLOs that nodes measure. The SLO of the probes is in `probes.ts`. */
import type { RuleGroup } from '../lib/rule.ts';
import { SLOS, sloAlerts, sloRecordings } from '../lib/slo.ts';

const slos = SLOS.filter(({ name }) => name !== 'probe');

export const SLO_RULES: RuleGroup = {
  name: 'slo',
  recordings: slos.flatMap(sloRecordings),
  alerts: slos.flatMap(sloAlerts),
};
