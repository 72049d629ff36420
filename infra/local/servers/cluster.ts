/**
 * A complete Holdfast on this machine: PostgreSQL, Redis, nodes and balancer, started in parallel and stopped in order.
 * The launcher, the tests and the drills use it. Needs `dist/`. Installs and builds nothing.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { ManagedProcess } from '../../host/managed-process.ts';
import { adjacentFreePorts, freePort, freePorts } from '../../host/ports.ts';
import { removeTemporary, temporaryDirectory } from '../../host/reaper.ts';
import { signToken, type TokenClaims } from '../token/sign-token.ts';
import { NginxServer } from './nginx.ts';
import { HoldfastNode } from './node.ts';
import { PostgresServer } from './postgres.ts';
import { RedisServer } from './redis.ts';

export interface ClusterPorts {
  readonly balancer: number;
  /** One port per node; the same for `metrics`. */
  readonly nodes: readonly number[];
  readonly metrics: readonly number[];
}

export interface ClusterOptions {
  readonly nodes: number;
  /** Start Redis. With false and without `redisUrl`, nodes work in degraded mode. */
  readonly redis: boolean;
  /** Start nginx in front of the nodes. With false, `url` is that of the first node. */
  readonly nginx: boolean;
  /** Use this database instead of starting PostgreSQL. */
  readonly databaseUrl?: string | undefined;
  readonly redisUrl?: string | undefined;
  /** Further environment variables of every node. */
  readonly env?: Readonly<Record<string, string>>;
  /** HS256 secret of tokens. Default: random. null: `env` configures another way to check tokens. */
  readonly secret?: string | null;
  /** Default: free ports. */
  readonly ports?: ClusterPorts;
  /** Data directory of PostgreSQL, kept on stop. Default: temporary. */
  readonly postgresDirectory?: string;
  /** Default: temporary, removed on stop. */
  readonly logDirectory?: string;
  /** Cancels a start in progress. */
  readonly signal?: AbortSignal;
}

export class Cluster {
  readonly nodes: readonly HoldfastNode[];
  readonly postgres: PostgresServer | null;
  readonly redis: RedisServer | null;
  readonly nginx: NginxServer | null;
  readonly databaseUrl: string;
  /** URL of the balancer, or without one of the first node: `http://127.0.0.1:port`. */
  readonly url: string;
  readonly wsUrl: string;
  readonly secret: string;
  readonly #parts: Parts;
  readonly #afterStop: (() => Promise<void>)[] = [];

  constructor(parts: Parts, databaseUrl: string, secret: string) {
    this.nodes = parts.nodes;
    this.postgres = parts.postgres;
    this.redis = parts.redis;
    this.nginx = parts.nginx;
    this.databaseUrl = databaseUrl;
    const port = parts.nginx?.port ?? parts.nodes[0]?.port;
    this.url = `http://127.0.0.1:${port}`;
    this.wsUrl = `ws://127.0.0.1:${port}/ws`;
    this.secret = secret;
    this.#parts = parts;
  }

  /** A token that the nodes accept. */
  token(claims: TokenClaims): Promise<string> {
    return signToken(claims, this.secret);
  }

  /** @throws Error when the cluster has no node at this index (from 0) */
  node(index: number): HoldfastNode {
    const node = this.nodes[index];
    if (!node) throw new Error(`There is no node ${index}: this cluster has ${this.nodes.length}, counted from 0.`);
    return node;
  }

  /** All processes, in the order of their start. */
  get processes(): ManagedProcess[] {
    return [this.postgres, this.redis, ...this.nodes, this.nginx].flatMap((part) => (part ? [part.process] : []));
  }

  /** Adds a task to run at the end of `stop`, for resources that a caller has attached to the cluster. */
  onStopped(task: () => Promise<void>): void {
    this.#afterStop.push(task);
  }

  /** Stops all processes, nodes first, so that they drain while their stores still run. Safe to call twice. */
  async stop(): Promise<void> {
    await stopParts(this.#parts);
    for (const task of this.#afterStop.splice(0)) await task();
  }
}

interface Parts {
  nodes: HoldfastNode[];
  postgres: PostgresServer | null;
  redis: RedisServer | null;
  nginx: NginxServer | null;
  temporaryLogs: string | null;
}

/**
 * Starts a cluster and waits until every part is ready.
 * @throws Error of the first part that failed, after stopping everything that had started
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const temporaryLogs = options.logDirectory === undefined ? temporaryDirectory('logs') : null;
  const logs = options.logDirectory ?? temporaryLogs ?? '';
  const parts: Parts = { nodes: [], postgres: null, redis: null, nginx: null, temporaryLogs };
  try {
    const ports = options.ports ?? (await freeClusterPorts(options));
    await startServices(options, ports, logs, parts);
    const databaseUrl = options.databaseUrl ?? parts.postgres?.url ?? '';
    const secret = options.secret === undefined ? randomBytes(32).toString('base64url') : (options.secret ?? '');
    const env = nodeEnvironment(options, databaseUrl, options.redisUrl ?? parts.redis?.url ?? '', secret);
    await all(
      ports.nodes.map(async (port, index) => {
        const name = `node-${index + 1}`;
        const metricsPort = ports.metrics[index] ?? 0;
        const logFile = join(logs, `${name}.log`);
        parts.nodes.push(await HoldfastNode.start({ name, port, metricsPort, logFile, env, signal: options.signal }));
      }),
    );
    parts.nodes.sort((a, b) => ports.nodes.indexOf(a.port) - ports.nodes.indexOf(b.port));
    return new Cluster(parts, databaseUrl, secret);
  } catch (error) {
    await stopParts(parts);
    throw error;
  }
}

async function freeClusterPorts({ nodes, env }: ClusterOptions): Promise<ClusterPorts> {
  const metrics: number[] = [];
  // Worker n of a node serves its metrics n ports above the first.
  const workers = Number(env?.WORKERS ?? 1);
  while (metrics.length < nodes) metrics.push(...(await adjacentFreePorts(workers)).slice(0, 1));
  return { balancer: await freePort(), nodes: await freePorts(nodes), metrics };
}

/** Starts PostgreSQL, Redis and nginx. nginx needs only the ports of the nodes, so it starts in parallel. */
async function startServices(options: ClusterOptions, ports: ClusterPorts, logs: string, parts: Parts): Promise<void> {
  const { signal, databaseUrl, redisUrl, postgresDirectory: dataDirectory } = options;
  await all([
    databaseUrl !== undefined
      ? undefined
      : PostgresServer.start({ dataDirectory, logFile: join(logs, 'postgres.log'), signal }).then((started) => {
          parts.postgres = started;
        }),
    !options.redis || redisUrl !== undefined
      ? undefined
      : RedisServer.start({ logFile: join(logs, 'redis.log'), signal }).then((started) => {
          parts.redis = started;
        }),
    !options.nginx
      ? undefined
      : NginxServer.start({
          port: ports.balancer,
          nodePorts: ports.nodes,
          logFile: join(logs, 'nginx.log'),
          signal,
        }).then((started) => {
          parts.nginx = started;
        }),
  ]);
}

/** Environment of a node. Takes only basic variables from this process, so that tests do not depend on the others. */
function nodeEnvironment(
  options: ClusterOptions,
  databaseUrl: string,
  redisUrl: string,
  secret: string,
): Record<string, string> {
  const basics = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(basics),
    ...options.env,
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    ...(secret === '' ? {} : { AUTH_JWT_SECRET: secret }),
  };
}

/** Waits for all tasks, even if one fails, so that no start is still running while the others are stopped. */
async function all(tasks: readonly (Promise<unknown> | undefined)[]): Promise<void> {
  const results = await Promise.allSettled(tasks);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function stopParts(parts: Parts): Promise<void> {
  await all(parts.nodes.map((node) => node.stop()));
  await parts.nginx?.stop();
  await parts.redis?.stop();
  await parts.postgres?.stop();
  if (parts.temporaryLogs !== null) removeTemporary(parts.temporaryLogs);
}
