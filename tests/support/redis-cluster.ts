/**
 * A Redis Cluster of real servers on loopback, created and changed with `redis-cli --cluster` as an operator would:
 * failover to replicas, moved slots, added and lost servers.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { freePort } from '../../infra/host/ports.ts';
import { removeTemporary, temporaryDirectory } from '../../infra/host/reaper.ts';
import { RedisServer } from '../../infra/local/servers/redis.ts';
import { eventually } from './wait.ts';

export interface RedisClusterOptions {
  /** Default 3, the least that a cluster may have. */
  readonly primaries?: number;
  /** Replicas of each primary. Default 0. */
  readonly replicas?: number;
  /** Servers that run but do not yet belong to the cluster. Default 0. */
  readonly spare?: number;
}

/** Silence of a primary after which a replica is elected, milliseconds. Short, so that tests are quick. */
const NODE_TIMEOUT_MS = 1_000;

/** Time within which a server must answer a command of the test, milliseconds. */
const ANSWER_MS = 2_000;

const run = promisify(execFile);

export class TestRedisCluster {
  readonly servers: readonly RedisServer[];
  readonly spares: readonly RedisServer[];
  readonly #logs: string;

  private constructor(servers: readonly RedisServer[], spares: readonly RedisServer[], logs: string) {
    this.servers = servers;
    this.spares = spares;
    this.#logs = logs;
  }

  static async start({ primaries = 3, replicas = 0, spare = 0 }: RedisClusterOptions = {}): Promise<TestRedisCluster> {
    const logs = temporaryDirectory('redis-cluster');
    const count = primaries * (1 + replicas);
    const all = await Promise.all(Array.from({ length: count + spare }, (_, i) => startServer(logs, i)));
    const servers = all.slice(0, count);
    const cluster = new TestRedisCluster(servers, all.slice(count), logs);
    await cluster.#cli('create', ...servers.map(addressOf), '--cluster-replicas', String(replicas));
    for (const server of servers) await eventually(async () => expectComplete(server, count));
    return cluster;
  }

  get url(): string {
    return (this.servers[0] as RedisServer).url;
  }

  /** The primary that owns the slot of this key or channel. */
  async primaryOf(name: string): Promise<RedisServer> {
    const range = await this.#askingAny(async (redis) => {
      const slot = await redis.cluster('KEYSLOT', name);
      return (await redis.cluster('SLOTS')).find(([first, last]) => first <= slot && slot <= last);
    });
    return [...this.servers, ...this.spares].find(({ port }) => port === range?.[2]?.[1]) as RedisServer;
  }

  /** Subscribers of a channel at one server, of sharded and of classic Pub/Sub. */
  subscribersAt(server: RedisServer, name: string): Promise<{ sharded: number; classic: number }> {
    return this.#asking(server, async (redis) => {
      const sharded = (await redis.call('PUBSUB', 'SHARDNUMSUB', name)) as [string, number];
      const classic = (await redis.pubsub('NUMSUB', name)) as [string, number];
      return { sharded: sharded[1], classic: classic[1] };
    });
  }

  /** Makes a spare server a primary without slots. */
  async add(server: RedisServer): Promise<void> {
    await this.#cli('add-node', addressOf(server), addressOf(this.servers[0] as RedisServer));
    await eventually(async () => expectComplete(server, this.servers.length + 1));
  }

  /** Moves slots while the cluster stays in service. */
  async moveSlots(count: number, from: RedisServer, to: RedisServer): Promise<void> {
    const [source, target] = await Promise.all([from, to].map((server) => this.#asking(server, idOf)));
    const options = ['--cluster-from', source, '--cluster-to', target, '--cluster-slots', String(count)] as string[];
    await this.#cli('reshard', addressOf(from), ...options);
  }

  /** Moves the one slot of this channel, which must hold no keys. */
  async moveSlotOf(name: string, from: RedisServer, to: RedisServer): Promise<void> {
    const [source, target] = await Promise.all([from, to].map((server) => this.#asking(server, idOf)));
    const set = (server: RedisServer, state: string, id: string | undefined) =>
      this.#asking(server, async (redis) =>
        redis.call('CLUSTER', 'SETSLOT', await redis.cluster('KEYSLOT', name), state, String(id)),
      );
    await set(to, 'IMPORTING', source);
    await set(from, 'MIGRATING', target);
    await set(to, 'NODE', target);
    await set(from, 'NODE', target);
  }

  /** Begins to move every slot of `from` to `to`, so that new keys are created there. The returned function cancels it. */
  async beginToMoveSlots(from: RedisServer, to: RedisServer): Promise<() => Promise<void>> {
    const [source, target] = await Promise.all([from, to].map((server) => this.#asking(server, idOf)));
    const slots = await this.#asking(from, async (redis) => {
      const own = (await redis.cluster('SLOTS')).filter(([, , primary]) => primary?.[1] === from.port);
      return own.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
    });
    const set = (server: RedisServer, ...state: readonly string[]) =>
      this.#asking(server, (redis) =>
        Promise.all(slots.map((slot) => redis.call('CLUSTER', 'SETSLOT', slot, ...state))),
      );
    await set(to, 'IMPORTING', String(source));
    await set(from, 'MIGRATING', String(target));
    return async () => {
      await set(from, 'STABLE');
      await set(to, 'STABLE');
    };
  }

  /** Allows or forbids failover, on all servers that answer. */
  async setFailover(enabled: boolean): Promise<void> {
    const set = (redis: Redis) => redis.config('SET', 'cluster-replica-no-failover', enabled ? 'no' : 'yes');
    await Promise.allSettled([...this.servers, ...this.spares].map((server) => this.#asking(server, set)));
  }

  /** Whether this server knows an owner for every slot; without one it refuses all keys. */
  isComplete(server: RedisServer): Promise<boolean> {
    return this.#asking(server, async (redis) => String(await redis.cluster('INFO')).includes('cluster_state:ok'));
  }

  /** Sorted ids of the connections from Holdfast nodes. A reconnect changes the id. */
  connectionsAt(server: RedisServer): Promise<string[]> {
    return this.#asking(server, async (redis) => {
      const lines = String(await redis.client('LIST')).split('\n');
      const ours = lines.filter((line) => line.includes(' name=holdfast-') && !line.includes('name=holdfast-seed'));
      return ours.map((line) => line.split(' ')[0] ?? '').sort();
    });
  }

  async slotsOf(server: RedisServer): Promise<number> {
    return this.#asking(server, async (redis) => {
      const own = (await redis.cluster('SLOTS')).filter(([, , primary]) => primary?.[1] === server.port);
      return own.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    });
  }

  async stop(): Promise<void> {
    for (const server of [...this.servers, ...this.spares]) server.process.kill('SIGCONT');
    await Promise.all([...this.servers, ...this.spares].map((server) => server.stop()));
    removeTemporary(this.#logs);
  }

  async #cli(command: string, ...args: readonly string[]): Promise<void> {
    const arguments_ = ['--cluster', command, ...args, '--cluster-yes'];
    await run('redis-cli', arguments_, { timeout: 120_000 }).catch((error: { stdout?: string }) => {
      throw new Error(`redis-cli --cluster ${command} failed: ${error.stdout?.slice(-2_000)}`, { cause: error });
    });
  }

  async #asking<T>({ url }: RedisServer, ask: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(url, { retryStrategy: null, commandTimeout: ANSWER_MS });
    redis.on('error', () => {
      // The waiting command fails with this error.
    });
    try {
      return await ask(redis);
    } finally {
      redis.disconnect();
    }
  }

  /** The answer of the first server that gives one; others may be killed or paused. */
  async #askingAny<T>(ask: (redis: Redis) => Promise<T>): Promise<T> {
    let failure: unknown;
    for (const server of this.servers) {
      try {
        return await this.#asking(server, ask);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}

const addressOf = ({ port }: RedisServer) => `127.0.0.1:${port}`;

const idOf = async (redis: Redis) => String(await redis.cluster('MYID'));

async function startServer(logs: string, index: number): Promise<RedisServer> {
  // A free port for the cluster bus: the default is the port plus 10,000, which another server may use.
  const bus = await freePort();
  return RedisServer.start({
    logFile: join(logs, `${index}.log`),
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf', '--cluster-port', String(bus)],
      ...['--cluster-node-timeout', String(NODE_TIMEOUT_MS)],
      // A replica may take over however old its data is: Redis holds nothing that must survive.
      ...['--cluster-replica-validity-factor', '0', '--repl-diskless-sync-delay', '0'],
    ],
  });
}

async function expectComplete(server: RedisServer, servers: number): Promise<void> {
  const redis = new Redis(server.url, { retryStrategy: null });
  try {
    const info = String(await redis.cluster('INFO'));
    const links = String(await redis.info('replication'));
    const complete = info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${servers}`);
    if (!complete || links.includes('master_link_status:down')) throw new Error(`The cluster is not ready: ${info}`);
  } finally {
    redis.disconnect();
  }
}
