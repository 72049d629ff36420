/**
 * A cluster with a TCP proxy in front of its Postgres and its Redis, so that a test can inject faults into the servers
 * and into the network between. This file only assembles the parts; `tcp-proxy.ts` has the network faults.
 */
import { join } from 'node:path';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';
import type { Cluster, ClusterOptions } from '../../../infra/local/servers/cluster.ts';
import { startCluster } from '../../../infra/local/servers/cluster.ts';
import type { HoldfastNode } from '../../../infra/local/servers/node.ts';
import { PostgresServer } from '../../../infra/local/servers/postgres.ts';
import { RedisServer } from '../../../infra/local/servers/redis.ts';
import { createDatabase } from '../database.ts';
import { TcpProxy } from './tcp-proxy.ts';

export interface FaultyClusterOptions {
  readonly nodes?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly nginx?: boolean;
  /** Start a PostgreSQL for this cluster alone, to kill or pause. Default: a database on the shared one. */
  readonly ownPostgres?: boolean;
  /** Settings of that PostgreSQL. */
  readonly postgresSettings?: Readonly<Record<string, string>>;
  /** Start a second Redis that replicates the first, to fail over to. */
  readonly replica?: boolean;
}

export class FaultyCluster {
  readonly cluster: Cluster;
  /** The proxy between the nodes and Postgres. */
  readonly postgresLink: TcpProxy;
  /** The proxy between the nodes and Redis. */
  readonly redisLink: TcpProxy;
  private primary: RedisServer;
  private standby: RedisServer | undefined;
  private readonly ownPostgres: PostgresServer | undefined;
  /** URL of the database without the proxy. */
  readonly directDatabaseUrl: string;

  constructor(parts: Parts & { readonly cluster: Cluster }) {
    this.cluster = parts.cluster;
    this.postgresLink = parts.postgresLink;
    this.redisLink = parts.redisLink;
    this.primary = parts.redis;
    this.standby = parts.replica;
    this.ownPostgres = parts.postgres;
    this.directDatabaseUrl = parts.databaseUrl;
    for (const stop of parts.stops) this.cluster.onStopped(stop);
  }

  /** @throws Error when the cluster was not started with `ownPostgres` */
  get postgres(): PostgresServer {
    if (!this.ownPostgres) throw new Error('This cluster shares its PostgreSQL with other tests; ask for ownPostgres.');
    return this.ownPostgres;
  }

  /** Indexes beyond the last node start again at the first, so that a counter can spread requests. */
  node(index: number): HoldfastNode {
    return this.cluster.node(index % this.cluster.nodes.length);
  }

  /** The current primary, to which the proxy leads. */
  get redis(): RedisServer {
    return this.primary;
  }

  /** The Redis that replicates the primary. @throws Error when the cluster was not started with `replica` */
  get replica(): RedisServer {
    if (!this.standby) throw new Error('This cluster has no replica of its Redis; ask for replica.');
    return this.standby;
  }

  /**
   * A failover as a managed Redis does it: the replica becomes the primary, and new connections lead to it. The old
   * primary is killed; with `oldStays` it keeps its connections and becomes a replica.
   */
  async failOverRedis({ oldStays = false } = {}): Promise<void> {
    const [old, next] = [this.primary, this.replica];
    if (!oldStays) await old.process.kill('SIGKILL');
    await next.command(['REPLICAOF', 'NO', 'ONE']);
    this.redisLink.retarget(next.port);
    this.primary = next;
    this.standby = old;
    if (oldStays) await this.followPrimary();
  }

  /** Restarts the primary, empty. It stays the primary, even if it was first started as a replica. */
  async restartRedis(): Promise<void> {
    await this.primary.restart();
    await this.primary.command(['REPLICAOF', 'NO', 'ONE']);
  }

  /** Restarts the old primary, empty, as the replica of the new one. */
  async restoreReplica(): Promise<void> {
    await this.replica.restart();
    await this.followPrimary();
  }

  private async followPrimary(): Promise<void> {
    await this.replica.command(['REPLICAOF', '127.0.0.1', String(this.primary.port)]);
  }

  async stop(): Promise<void> {
    this.postgresLink.heal();
    this.redisLink.heal();
    await this.cluster.stop();
  }
}

interface Parts {
  readonly databaseUrl: string;
  readonly postgres: PostgresServer | undefined;
  readonly redis: RedisServer;
  readonly replica: RedisServer | undefined;
  readonly postgresLink: TcpProxy;
  readonly redisLink: TcpProxy;
  /** Run after the nodes have stopped, in this order. */
  readonly stops: (() => Promise<void>)[];
}

/** By default two nodes. Call `stop()` in `afterAll`. */
export async function startFaultyCluster(options: FaultyClusterOptions = {}): Promise<FaultyCluster> {
  const logs = temporaryDirectory('faulty');
  const stops: (() => Promise<void>)[] = [];
  try {
    const { url: databaseUrl, server: postgres } = await startDatabase(options, logs, stops);
    const redis = await startRedis(join(logs, 'redis.log'), undefined, stops);
    const replica = options.replica ? await startRedis(join(logs, 'replica.log'), redis.port, stops) : undefined;
    const postgresLink = await startLink(Number(new URL(databaseUrl).port), stops);
    const redisLink = await startLink(redis.port, stops);
    const wanted: ClusterOptions = {
      nodes: options.nodes ?? 2,
      redis: true,
      nginx: options.nginx ?? false,
      databaseUrl: postgresLink.through(databaseUrl),
      redisUrl: redisLink.through(redis.url),
      env: { LOG_LEVEL: 'warn', ...options.env },
    };
    const cluster = await startCluster(wanted);
    stops.push(async () => removeTemporary(logs));
    return new FaultyCluster({ cluster, databaseUrl, postgres, redis, replica, postgresLink, redisLink, stops });
  } catch (error) {
    for (const stop of stops) await stop();
    removeTemporary(logs);
    throw error;
  }
}

type Stops = (() => Promise<void>)[];

async function startDatabase(
  options: FaultyClusterOptions,
  logs: string,
  stops: Stops,
): Promise<{ url: string; server: PostgresServer | undefined }> {
  if (!options.ownPostgres) {
    const database = await createDatabase();
    stops.push(() => database.drop());
    return { url: database.url, server: undefined };
  }
  const logFile = join(logs, 'postgres.log');
  const server = await PostgresServer.start({
    logFile,
    ...(options.postgresSettings && { settings: options.postgresSettings }),
  });
  stops.push(() => server.stop());
  return { url: server.url, server };
}

async function startRedis(logFile: string, replicaOf: number | undefined, stops: Stops): Promise<RedisServer> {
  const redis = await RedisServer.start({ logFile, ...(replicaOf !== undefined && { replicaOf }) });
  stops.push(() => redis.stop());
  return redis;
}

async function startLink(port: number, stops: Stops): Promise<TcpProxy> {
  const link = await TcpProxy.start(port);
  stops.push(() => link.stop());
  return link;
}
