/** What a game day says of itself while it runs, so that dashboards can mark it. */
import type { Catalogue } from '../definition.ts';

export const GAME_DAY_METRICS = {
  'holdfast.gameday.active': {
    type: 'gauge',
    unit: '{gameday}',
    help: '1 while the game day named by its label `gameday` injects its fault.',
    why: 'Marks on every dashboard that what is seen there was done on purpose.',
  },
} as const satisfies Catalogue;
