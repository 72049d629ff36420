/** Settings of a drain: its pace, its time limits, and what starts it. */
import { str } from 'envalid';
import { count, integer, milliseconds } from '../env.ts';

const pollInterval = integer(1_000, 600_000);

export const DRAIN = {
  DRAIN_RATE: count({
    default: 500,
    desc: 'Connections per second that a draining node asks to reconnect. The node goes faster when the time limit of the drain requires it.',
  }),
  DRAIN_TIMEOUT_MS: milliseconds({
    default: 30_000,
    desc: 'Longest drain after SIGTERM, in ms. The node then closes the remaining connections and exits.',
  }),
  DEREGISTRATION_TARGET_GROUP_ARN: str({
    default: '',
    desc: 'Load balancer target group of this ECS task. The node polls the state of its target and drains when it is deregistered, long before SIGTERM. Empty: no polling.',
  }),
  DEREGISTRATION_POLL_MS: pollInterval({
    default: 10_000,
    desc: 'Time between two polls of the target state, in ms. AWS allows 10 such calls per second for all nodes of an account and region.',
  }),
  DEREGISTRATION_DRAIN_MS: milliseconds({
    default: 270_000,
    desc: 'Longest drain after a deregistration, in ms. Keep it below the deregistration delay of the target group, because the load balancer then closes the remaining connections.',
  }),
};
