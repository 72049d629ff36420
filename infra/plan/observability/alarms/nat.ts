/** One alarm per NAT gateway. Pure. */
import { type Alarm, MINUTE, NEVER, type Watched } from './alarm.ts';

export function natAlarms({ natGatewayIds }: Watched): Alarm[] {
  return natGatewayIds.map((id, i) => ({
    name: `NatPortsExhausted${i + 1}`,
    description:
      'Users may notice failed logins: calls of nodes to AWS APIs and to the token issuer fail. The NAT gateway could not allocate a port for an outgoing connection. Likely cause: a task opens connections to one address and keeps them. First step: find the task with most outgoing connections in the flow logs, and replace it.',
    ...NEVER,
    namespace: 'AWS/NATGateway',
    metric: 'ErrorPortAllocation',
    dimensions: { NatGatewayId: id },
    period: 5 * MINUTE,
    periods: 1,
  }));
}
