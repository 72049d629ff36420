/** Metrics of the process itself: event loop, memory, drain. */
import type { Catalogue } from '../definition.ts';

export const PROCESS = {
  'holdfast.start.time.seconds': {
    type: 'gauge',
    unit: 's',
    help: 'When this process started, in Unix time.',
    why: 'Marks deploys and crashes on every graph.',
  },
  'holdfast.draining': {
    type: 'gauge',
    unit: '{node}',
    help: '1 while this node drains.',
    why: 'A drain that does not end keeps a deploy from ending.',
  },
  'holdfast.drain.remaining': {
    type: 'gauge',
    unit: '{connection}',
    help: 'Connections that a drain has still to move.',
    why: 'Whether it will be done before the load balancer cuts what is left.',
  },
  'holdfast.event.loop.lag.seconds': {
    type: 'gauge',
    unit: 's',
    help: 'Event-loop delay of the last 10 to 20 s.',
    why: 'Everything of the node waits this long. Quantile 1 is the longest pause.',
    labels: { quantile: ['0.5', '0.99', '1'] },
  },
  'holdfast.event.loop.utilization.ratio': {
    type: 'gauge',
    unit: '1',
    help: 'Share of time the event loop was busy, over the last 10 to 20 s.',
    why: 'The true load of a Node process: near 1 it is full, whatever the CPU of the task says.',
  },
  'holdfast.memory.bytes': {
    type: 'gauge',
    unit: 'By',
    help: 'Memory of the process.',
    why: 'A steady rise at steady connections is a leak.',
    labels: { kind: ['resident', 'heap', 'external'] },
  },
  'holdfast.memory.limit.bytes': {
    type: 'gauge',
    unit: 'By',
    help: 'What ends the process: `resident`, its share of the memory of the container or machine, and `heap`, V8’s own limit.',
    why: 'A process that reaches either is gone, and everybody on it reconnects at once.',
    labels: { kind: ['resident', 'heap'] },
  },
} as const satisfies Catalogue;
