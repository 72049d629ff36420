/** What global-setup starts and global-teardown stops. The two share no modules, so they meet on `globalThis`. */
import type { PostgresServer } from '../../infra/local/servers/postgres.ts';

export interface SharedServers {
  postgres?: PostgresServer;
}

/** global-teardown.mjs knows this name too. */
const KEY = Symbol.for('holdfast.tests.shared');

export function shared(): SharedServers {
  const holder = globalThis as { [KEY]?: SharedServers };
  holder[KEY] ??= {};
  return holder[KEY];
}
