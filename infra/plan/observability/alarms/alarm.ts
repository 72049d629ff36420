/** What an alarm is, and the resources that alarms watch. Types and shared constants only. */
import type { ScalingMetric } from '../../scaling/policy.ts';

export interface Alarm {
  /** CamelCase, as Prometheus alerts are named. */
  readonly name: string;
  /**
   * Text of the mail to the on-call engineer: what users notice, what is measured, the likely cause, the first step.
   */
  readonly description: string;
  readonly namespace: string;
  readonly metric: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly statistic: 'Sum' | 'Average' | 'Maximum' | 'Minimum' | 'SampleCount';
  readonly comparison: 'above' | 'below';
  readonly threshold: number;
  /** Length of one datapoint, seconds. */
  readonly period: number;
  /** Datapoints in a row that must breach the threshold. */
  readonly periods: number;
  /** State when the metric has no data: `breaching` where silence is the fault, otherwise `notBreaching`. */
  readonly missing: 'breaching' | 'notBreaching';
}

/** Names and ids of the resources that the alarms watch. */
export interface Watched {
  readonly balancer: string;
  readonly targetGroup: string;
  readonly cluster: string;
  readonly service: string;
  readonly databaseId: string;
  readonly redisId: string;
  readonly natGatewayIds: readonly string[];
  readonly scalingMetric: ScalingMetric;
  readonly metricsWorkspaceId: string;
}

export const MINUTE = 60;

/** For events that must never happen: one is too many, and no data means that none happened. */
export const NEVER = { statistic: 'Sum', comparison: 'above', threshold: 0, missing: 'notBreaching' } as const;
