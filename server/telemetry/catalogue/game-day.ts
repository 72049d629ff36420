/** Metric of a running game day, with which dashboards mark its duration. */
import type { Catalogue } from '../definition.ts';

export const GAME_DAY_METRICS = {
  'holdfast.gameday.active': {
    type: 'gauge',
    unit: '{gameday}',
    help: '1 while the game day in the label `gameday` injects its fault.',
    why: 'Marks on every dashboard that the fault was injected on purpose.',
  },
} as const satisfies Catalogue;
