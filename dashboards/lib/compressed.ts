/** Rules with time compressed, so that days pass in minutes: for tests and game days, which fire every alert for real. Pure. */
import { compress, compressDuration } from './promql.ts';
import type { RuleGroup } from './rule.ts';

/** The group with every duration in a `factor`th of the time: ranges, offsets, and how long an alert must hold. */
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
