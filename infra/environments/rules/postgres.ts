/** Rules for PostgreSQL on RDS: storage, backups, standby, version and number of connections. Pure. */
import { SETTINGS } from '../../../server/config.ts';
import type { Rule } from './rule.ts';

/** Longest backup retention of RDS, days. */
const BACKUP_DAYS_MAX = 35;
/** Oldest major version that the server supports. */
const VERSION_MIN = 14;
/** RDS for PostgreSQL sets max_connections to DBInstanceClassMemory / 9531392, at most 5,000. */
const BYTES_PER_CONNECTION = 9_531_392;
const CONNECTIONS_MAX = 5_000;
/**
 * Share of max_connections for nodes. The rest covers operators, AWS, and memory of the class that Postgres does not
 * get.
 */
const CONNECTIONS_SHARE = 0.8;

export const POSTGRES_RULES: readonly Rule[] = [
  ({ postgres }) =>
    postgres.maxStorageGb < postgres.storageGb &&
    `postgres.maxStorageGb (${postgres.maxStorageGb}) is below postgres.storageGb (${postgres.storageGb}). Raise it: storage grows from the second to the first.`,
  ({ postgres }) =>
    (postgres.backupDays < 1 || postgres.backupDays > BACKUP_DAYS_MAX) &&
    `postgres.backupDays is ${postgres.backupDays}; it must be from 1 to ${BACKUP_DAYS_MAX}, the limit of RDS. With 0 the history cannot be restored.`,
  ({ postgres, protected: isProtected }) =>
    isProtected &&
    !postgres.multiAz &&
    'postgres.multiAz is false in a protected environment: when its zone fails, no standby takes over and publishing stops. Set it to true.',
  ({ postgres, service }) => {
    const gib = memoryGib(postgres.instanceClass);
    if (gib === undefined) return undefined;
    const pool = Number(service.settings.PG_POOL_MAX ?? SETTINGS.PG_POOL_MAX.default);
    // A deployment runs old and new tasks side by side.
    const wanted = 2 * service.maxTasks * pool;
    const limit = Math.floor(CONNECTIONS_SHARE * Math.min(CONNECTIONS_MAX, (gib * 1_024 ** 3) / BYTES_PER_CONNECTION));
    return (
      wanted > limit &&
      `postgres.instanceClass ${postgres.instanceClass} has room for ${limit} connections of nodes; a deployment at service.maxTasks (${service.maxTasks}) runs twice as many tasks, which with PG_POOL_MAX ${pool} open ${wanted}. Choose a larger class, lower service.maxTasks, or lower PG_POOL_MAX in service.settings.`
    );
  },
  ({ postgres }) =>
    Number.parseInt(postgres.version, 10) < VERSION_MIN &&
    `postgres.version is ${postgres.version}; the server needs ${VERSION_MIN} or later.`,
];

/** Nominal memory of an instance class (AWS: RDS instance types); undefined for a family that is not used here. */
function memoryGib(instanceClass: string): number | undefined {
  const [, family = '', size = ''] = /^db\.([a-z])[\da-z]*\.(\w+)$/.exec(instanceClass) ?? [];
  const ofLarge = { t: 8, m: 8, r: 16 }[family];
  if (ofLarge === undefined) return undefined;
  const times = { micro: 1 / 8, small: 1 / 4, medium: 1 / 2, large: 1, xlarge: 2 }[size];
  if (times !== undefined) return ofLarge * times;
  const [, count] = /^(\d+)xlarge$/.exec(size) ?? [];
  return count === undefined ? undefined : ofLarge * 2 * Number(count);
}
