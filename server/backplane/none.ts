/** The backplane and the presence store without Redis: nodes find each other's messages by polling the history. */
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

const NO_REDIS = new Error('There is no Redis (REDIS_URL is empty).');

export const NO_PRESENCE_STORE: PresenceStore = {
  keep: () => Promise.reject(NO_REDIS),
  remove: () => Promise.reject(NO_REDIS),
  list: () => Promise.reject(NO_REDIS),
};
