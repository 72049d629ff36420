/**
 * A whole Holdfast on this machine: PostgreSQL, Redis, nodes and the balancer, started as parallel as they can be and
 * stopped in order. The launcher, the tests and the game days use this one. Installs nothing, builds nothing (`dist/`
 * must be there) and reads no environment.
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
  /** One per node, as with `metrics`. */
  readonly nodes: readonly number[];
  readonly metrics: readonly number[];
}

export interface ClusterOptions {
  readonly nodes: number;
  /** Start a Redis. false and no `redisUrl`: degraded mode. */
  readonly redis: boolean;
  /** Put nginx in front. false: `url` is the first node's. */
  readonly nginx: boolean;
  /** Use this database instead of starting PostgreSQL. */
  readonly databaseUrl?: string | undefined;
  readonly redisUrl?: string | undefined;
  /** Further environment of every node. */
  readonly env?: Readonly<Record<string, string>>;
  /** HS256 secret of tokens; default: random. null: `env` names another way to check tokens. */
  readonly secret?: string | null;
  /** Default: free ones. */
  readonly ports?: ClusterPorts;
  /** Keeps the database between runs. Default: temporary. */
  readonly postgresDirectory?: string;
  /** Default: temporary, removed on stop. */
  readonly logDirectory?: string;
  /** Gives up a start that is under way. */
  readonly signal?: AbortSignal;
}

export class Cluster {
  readonly nodes: readonly HoldfastNode[];
  readonly postgres: PostgresServer | null;
  readonly redis: RedisServer | null;
  readonly nginx: NginxServer | null;
  readonly databaseUrl: string;
  /** Of the balancer, or of the first node: `http://127.0.0.1:port`. */
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

  /** Everything that runs here, in the order of the start. */
  get processes(): ManagedProcess[] {
    return [this.postgres, this.redis, ...this.nodes, this.nginx].flatMap((part) => (part ? [part.process] : []));
  }

  /** Has something done at the end of `stop`, for what belongs to the cluster but was made by others. */
  onStopped(task: () => Promise<void>): void {
    this.#afterStop.push(task);
  }

  /** Stops everything: the nodes first, so that they drain while all they need is there. Safe to call twice. */
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
  // Worker n of a node serves its metrics n ports further on.
  const workers = Number(env?.WORKERS ?? 1);
  while (metrics.length < nodes) metrics.push(...(await adjacentFreePorts(workers)).slice(0, 1));
  return { balancer: await freePort(), nodes: await freePorts(nodes), metrics };
}

/** What does not need the nodes: PostgreSQL, Redis, and nginx, which only has to know their ports. */
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

/** The nodes see nothing of this process's environment but what every program needs: a test must not depend on it. */
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

/** Waits for all, also when one fails: nothing may still be starting while the rest is being stopped. */
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
