/** No backplane: a single node, or several that find each other's messages by reading the history. */
import type { Backplane, PresenceStore } from './types.ts';

export function createNoBackplane(): Backplane {
  return {
    isUp: false,
    start: () => Promise.resolve(),
    publish: () => {},
    publishEvent: () => {},
    publishPresenceHint: () => {},
    subscribe: () => Promise.resolve(),
    unsubscribe: () => {},
    close: () => Promise.resolve(),
  };
}

const AWAY = new Error('There is no Redis (REDIS_URL is empty).');

export const NO_PRESENCE_STORE: PresenceStore = {
  keep: () => Promise.reject(AWAY),
  remove: () => Promise.reject(AWAY),
  list: () => Promise.reject(AWAY),
};
