/** Rules with compressed time, so that drills and game days can fire alerts on real faults in minutes instead of days. Pure. */
import { compress, compressDuration } from './promql.ts';
import type { RuleGroup } from './rule.ts';

/** The group with every duration divided by `factor`: ranges, offsets and the `for` of alerts. */
export function compressGroup(group: RuleGroup, factor: number): RuleGroup {
  return {
    ...group,
    recordings: (group.recordings ?? []).map((rule) => ({ ...rule, expr: compress(rule.expr, factor) })),
    alerts: group.alerts.map((rule) => ({
      ...rule,
      expr: compress(rule.expr, factor),
      ...(rule.for && { for: compressDuration(rule.for, factor) }),
    })),
  };
}
