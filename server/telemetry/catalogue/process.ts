/** Metrics of the process itself: event loop, memory, drain. */
import type { Catalogue } from '../definition.ts';

export const PROCESS = {
  'holdfast.start.time.seconds': {
    type: 'gauge',
    unit: 's',
    help: 'Start time of this process, in Unix time.',
    why: 'Marks deploys and crashes on every graph.',
  },
  'holdfast.draining': {
    type: 'gauge',
    unit: '{node}',
    help: '1 while this node drains, else 0.',
    why: 'A drain that does not end blocks the deploy.',
  },
  'holdfast.drain.remaining': {
    type: 'gauge',
    unit: '{connection}',
    help: 'Connections still open on a draining node.',
    why: 'Whether the drain will finish before the load balancer closes the remaining connections.',
  },
  'holdfast.event.loop.lag.seconds': {
    type: 'gauge',
    unit: 's',
    help: 'Event-loop delay in the last 10 to 20 s, by quantile.',
    why: 'Every operation of the node waits this long. Quantile 1 is the longest pause.',
    labels: { quantile: ['0.5', '0.99', '1'] },
  },
  'holdfast.event.loop.utilization.ratio': {
    type: 'gauge',
    unit: '1',
    help: 'Share of time in which the event loop was busy, over the last 10 to 20 s.',
    why: 'The real load of a Node.js process: near 1 it is full, even when the CPU of the task is not.',
  },
  'holdfast.memory.bytes': {
    type: 'gauge',
    unit: 'By',
    help: 'Memory of the process, by kind.',
    why: 'A steady rise with a steady number of connections is a leak.',
    labels: { kind: ['resident', 'heap', 'external'] },
  },
  'holdfast.memory.limit.bytes': {
    type: 'gauge',
    unit: 'By',
    help: 'Memory at which the process is killed: `resident`, its share of the container or machine, and `heap`, the limit of V8.',
    why: 'A process that reaches either limit ends, and all its clients reconnect at once.',
    labels: { kind: ['resident', 'heap'] },
  },
} as const satisfies Catalogue;
