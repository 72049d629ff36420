/** Alarms on PostgreSQL that only RDS can measure. Pure. */
import type { Environment } from '../../../environments/types.ts';
import { type Alarm, MINUTE, type Watched } from './alarm.ts';

const GIB = 1_024 ** 3;

export function postgresAlarms({ postgres }: Environment, { databaseId }: Watched): Alarm[] {
  const rds = {
    namespace: 'AWS/RDS',
    dimensions: { DBInstanceIdentifier: databaseId },
    period: 5 * MINUTE,
    missing: 'notBreaching',
  } as const;
  return [
    {
      ...rds,
      name: 'PostgresStorageLow',
      description: `Users notice nothing yet; when the storage is full, every publish fails. Less than a tenth of postgres.storageGb has been free for ten minutes, although the storage grows by itself up to ${postgres.maxStorageGb} GiB (postgres.maxStorageGb). Likely cause: that limit is reached, or growth is slower than the writes. First step: raise postgres.maxStorageGb, or lower postgres.retentionDays, and deploy the data stack.`,
      metric: 'FreeStorageSpace',
      statistic: 'Minimum',
      comparison: 'below',
      threshold: Math.ceil(postgres.storageGb * 0.1 * GIB),
      periods: 2,
    },
    {
      ...rds,
      name: 'PostgresCpu',
      description:
        'Publishes become slow. The CPU of PostgreSQL has been above 80 % for 15 minutes. Likely cause: more publishes, or many clients that read history at once. First step: open Performance Insights and look at the statements that use most CPU; if they are the usual ones, choose a larger postgres.instanceClass.',
      metric: 'CPUUtilization',
      statistic: 'Average',
      comparison: 'above',
      threshold: 80,
      periods: 3,
    },
    {
      ...rds,
      name: 'PostgresWritesSlow',
      description:
        'Acknowledgements of publishes are slow, as each waits for a write to the storage. A write has taken more than 20 ms on average for 15 minutes. Likely cause: the IOPS or the throughput of the volume are used up. First step: compare WriteIOPS and WriteThroughput with the limits of the volume and of the instance class.',
      metric: 'WriteLatency',
      statistic: 'Average',
      comparison: 'above',
      threshold: 0.02,
      periods: 3,
    },
    {
      ...rds,
      name: 'PostgresWraparound',
      description:
        'Users notice nothing yet; at two billion unvacuumed transactions PostgreSQL stops accepting writes. More than one billion transaction ids are in use. Likely cause: an old transaction, replication slot or prepared transaction holds vacuum back. First step: find the oldest backend_xmin in pg_stat_activity and end that session; check that autovacuum runs.',
      metric: 'MaximumUsedTransactionIDs',
      statistic: 'Maximum',
      comparison: 'above',
      threshold: 1_000_000_000,
      periods: 1,
    },
  ];
}
