/**
 * Makes CloudWatch alarms of the values in plan/observability/alarms.ts. Each notifies the on-call topic when it fires
 * and when it ends.
 */
import { CloudwatchMetricAlarm } from '@cdktf/provider-aws/lib/cloudwatch-metric-alarm/index.js';
import { Construct } from 'constructs';
import type { Environment } from '../environments/types.ts';
import type { Alarm } from '../plan/observability/alarms/alarm.ts';
import { alarmName } from '../plan/observability/alarms.ts';

export interface AlarmsProps {
  readonly environment: Environment;
  readonly alarms: readonly Alarm[];
  readonly topicArn: string;
}

const COMPARISONS = { above: 'GreaterThanThreshold', below: 'LessThanThreshold' } as const;

export class Alarms extends Construct {
  constructor(scope: Construct, id: string, { environment, alarms, topicArn }: AlarmsProps) {
    super(scope, id);
    for (const alarm of alarms)
      new CloudwatchMetricAlarm(this, alarm.name, {
        alarmName: alarmName(environment, alarm),
        alarmDescription: alarm.description,
        namespace: alarm.namespace,
        metricName: alarm.metric,
        dimensions: { ...alarm.dimensions },
        statistic: alarm.statistic,
        comparisonOperator: COMPARISONS[alarm.comparison],
        threshold: alarm.threshold,
        period: alarm.period,
        evaluationPeriods: alarm.periods,
        treatMissingData: alarm.missing,
        actionsEnabled: true,
        alarmActions: [topicArn],
        okActions: [topicArn],
      });
  }
}
