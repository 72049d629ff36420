/** All rule groups. `npm run dashboards` writes each to a file of its own in `dashboards/out/rules`. */
import type { RuleGroup } from '../lib/rule.ts';
import { CONNECTION_RULES } from './connections.ts';
import { NODE_RULES } from './nodes.ts';
import { POSTGRES_RULES } from './postgres.ts';
import { PROBE_RULES } from './probes.ts';
import { REDIS_RULES } from './redis.ts';
import { SLO_RULES } from './slo.ts';
import { WATCHDOG } from './watchdog.ts';

export const RULE_GROUPS: readonly RuleGroup[] = [
  SLO_RULES,
  PROBE_RULES,
  CONNECTION_RULES,
  REDIS_RULES,
  POSTGRES_RULES,
  NODE_RULES,
  WATCHDOG,
];

/** Every alert, including the watchdog. */
export const ALERTS = RULE_GROUPS.flatMap(({ alerts }) => alerts);
