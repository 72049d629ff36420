/** Alarms on the load balancer and on its connections to nodes. Pure. */
import { type Alarm, MINUTE, NEVER, type Watched } from './alarm.ts';

export function balancerAlarms({ balancer, targetGroup }: Watched): Alarm[] {
  const alb = { namespace: 'AWS/ApplicationELB', period: MINUTE, missing: 'notBreaching' } as const;
  const dimensions = { LoadBalancer: balancer };
  const target = { LoadBalancer: balancer, TargetGroup: targetGroup };
  return [
    {
      ...alb,
      name: 'BalancerErrors',
      description:
        'Clients cannot connect, or their requests fail. The load balancer itself has answered with 5xx more than 60 times a minute for three minutes. Likely cause: no node is healthy, or nodes close connections early. First step: look at UnhealthyNodes and at the log of the nodes.',
      metric: 'HTTPCode_ELB_5XX_Count',
      dimensions,
      statistic: 'Sum',
      comparison: 'above',
      // Deployments and clients that disappear cause fewer than one per second.
      threshold: 60,
      periods: 3,
    },
    {
      ...alb,
      name: 'BalancerRejects',
      description:
        'New clients cannot connect. The load balancer has refused connections for two minutes because it has reached its own connection limit. Likely cause: a launch or a reconnect storm that grew faster than the load balancer scales. First step: ask AWS Support to raise its capacity.',
      ...NEVER,
      metric: 'RejectedConnectionCount',
      dimensions,
      periods: 2,
    },
    {
      ...alb,
      name: 'UnhealthyNodes',
      description:
        'Capacity is reduced; with few nodes left, clients are refused. At least one node has failed the health check of the load balancer for five minutes without a break, and ECS has not replaced it. Likely cause: nodes do not start, or exit soon after. First step: read the events of the ECS service and the log of the nodes.',
      metric: 'UnHealthyHostCount',
      dimensions: target,
      statistic: 'Minimum',
      comparison: 'above',
      threshold: 0,
      // A new node is unhealthy for up to two minutes, and ECS replaces one within three.
      periods: 5,
    },
    {
      ...alb,
      name: 'NodesUnreachable',
      description:
        'Some clients cannot connect. The load balancer has failed to open connections to nodes more than 10 times a minute for three minutes. Likely cause: a node is out of file descriptors, or its event loop is blocked. First step: compare the event loop lag of the nodes on the dashboard "nodes", and their connections on "connections".',
      metric: 'TargetConnectionErrorCount',
      dimensions: target,
      statistic: 'Sum',
      comparison: 'above',
      threshold: 10,
      periods: 3,
    },
  ];
}
