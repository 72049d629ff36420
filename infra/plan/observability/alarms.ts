/**
 * The CloudWatch alarms of an environment: for faults that only AWS can see. What nodes measure themselves is a
 * Prometheus alert (dashboards/rules). Pure: constructs/alarms.ts makes resources of these values.
 */
import { nameOf } from '../../environments/names.ts';
import type { Environment } from '../../environments/types.ts';
import type { Alarm, Watched } from './alarms/alarm.ts';
import { alertingAlarms } from './alarms/alerting.ts';
import { balancerAlarms } from './alarms/balancer.ts';
import { natAlarms } from './alarms/nat.ts';
import { postgresAlarms } from './alarms/postgres.ts';
import { redisAlarms } from './alarms/redis.ts';
import { taskAlarms } from './alarms/tasks.ts';

/** All alarms; their names are unique within the environment. */
export function alarms(environment: Environment, watched: Watched): Alarm[] {
  return [
    ...balancerAlarms(watched),
    ...taskAlarms(environment, watched),
    ...postgresAlarms(environment, watched),
    ...redisAlarms(environment, watched),
    ...natAlarms(watched),
    ...alertingAlarms(watched),
  ];
}

/** Name in CloudWatch: `holdfast-prod-BalancerErrors`. */
export const alarmName = (environment: Environment, alarm: Alarm) => nameOf(environment, alarm.name);
