/** Alarms on the Prometheus alerting itself: without them, broken alerting looks like a healthy service. Pure. */
import { type Alarm, MINUTE, NEVER, type Watched } from './alarm.ts';

export function alertingAlarms({ metricsWorkspaceId }: Watched): Alarm[] {
  const prometheus = { namespace: 'AWS/Prometheus', dimensions: { Workspace: metricsWorkspaceId } } as const;
  return [
    {
      ...prometheus,
      name: 'AlertsMissing',
      description:
        'Users notice nothing, but no Prometheus alert can reach you. The alert manager has received no alert for ten minutes, not even Watchdog, which always fires. Likely cause: the rules are not evaluated, or no metrics arrive. First step: read the log group of the Prometheus workspace.',
      metric: 'AlertManagerAlertsReceived',
      statistic: 'Sum',
      comparison: 'below',
      threshold: 1,
      // Prometheus sends a firing alert to the alert manager again every minute or so.
      period: 5 * MINUTE,
      periods: 2,
      missing: 'breaching',
    },
    {
      ...prometheus,
      name: 'AlertsUndelivered',
      description:
        'Users notice nothing, but Prometheus alerts do not reach you. The alert manager failed to publish an alert to the on-call topic. Likely cause: the policy of the topic or of its KMS key no longer allows it. First step: read the log group of the Prometheus workspace, then run cdktf diff on the network and observability stacks.',
      ...NEVER,
      metric: 'AlertManagerNotificationsFailed',
      period: 5 * MINUTE,
      periods: 1,
    },
  ];
}
