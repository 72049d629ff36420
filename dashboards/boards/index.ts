/** All dashboards, in the order of the navigation. */
import type { Board } from '../lib/panel.ts';
import { CAPACITY } from './capacity.ts';
import { CONNECTIONS } from './connections.ts';
import { DELIVERY } from './delivery.ts';
import { NODES_BOARD } from './nodes.ts';
import { OVERVIEW } from './overview.ts';
import { POSTGRES } from './postgres.ts';
import { PROBES_BOARD } from './probes.ts';
import { REDIS } from './redis.ts';
import { SLO } from './slo.ts';

export const ALL_BOARDS: readonly Board[] = [
  OVERVIEW,
  CONNECTIONS,
  DELIVERY,
  REDIS,
  POSTGRES,
  NODES_BOARD,
  PROBES_BOARD,
  CAPACITY,
  SLO,
];
