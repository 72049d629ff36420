/**
 * The catalogue of faults for a cluster under load. Each fault injects itself, waits a random time, and heals. It checks
 * nothing: the delivery auditor counts what went wrong.
 */
import { pick } from '../random.ts';
import { sleep } from '../wait.ts';
import type { FaultyCluster } from './faulty-cluster.ts';
import type { TcpProxy } from './tcp-proxy.ts';

/** The cluster, proxies and clients that faults act on. */
export interface Arena {
  readonly faulty: FaultyCluster;
  /** Between the clients and the nodes, one per node. */
  readonly clientLinks: readonly TcpProxy[];
  readonly clients: readonly { drop(): void; pause(): void; resume(): void }[];
  readonly random: () => number;
}

/** Injects one fault; resolves when it has healed. */
export type Fault = (arena: Arena) => Promise<void>;

/** Waits a random time between `min` and `max`, milliseconds. */
const between = ({ random }: Arena, min: number, max: number) => sleep(min + random() * (max - min));
const someNode = (arena: Arena) => arena.faulty.node(Math.floor(arena.random() * arena.faulty.cluster.nodes.length));
const someLink = (arena: Arena) => pick(arena.random, arena.clientLinks);

/** A fault that applies `what` to a proxy for 300 ms to `maxMs`. */
function through(
  link: (arena: Arena) => TcpProxy,
  what: (proxy: TcpProxy, arena: Arena) => void,
  maxMs = 4_000,
): Fault {
  return async (arena) => {
    const proxy = link(arena);
    what(proxy, arena);
    await between(arena, 300, maxMs);
    proxy.heal();
  };
}

const redisLink = (arena: Arena) => arena.faulty.redisLink;
const postgresLink = (arena: Arena) => arena.faulty.postgresLink;

/** Faults of Redis and Postgres. One at a time, because `heal` of a proxy ends all its faults. */
export const DEPENDENCY_FAULTS: Readonly<Record<string, Fault>> = {
  'redis killed': async (arena) => {
    await arena.faulty.redis.process.kill('SIGKILL');
    await between(arena, 300, 4_000);
    await arena.faulty.restartRedis();
  },
  'redis failed over': async (arena) => {
    await arena.faulty.failOverRedis({ oldStays: arena.random() < 0.5 });
    await between(arena, 300, 3_000);
    await arena.faulty.restoreReplica();
  },
  'redis paused': async (arena) => {
    await arena.faulty.redis.process.kill('SIGSTOP');
    await between(arena, 300, 5_000);
    await arena.faulty.redis.process.kill('SIGCONT');
  },
  'redis swallowed': through(redisLink, (proxy) => proxy.blackhole()),
  'redis slow': through(redisLink, (proxy, { random }) => proxy.delay(20 + random() * 400)),
  'redis connections cut': through(redisLink, (proxy) => proxy.cut()),
  'subscriber deaf': through(redisLink, (proxy, arena) => {
    const name = `holdfast-subscriber-${someNode(arena).name}`;
    const deaf = proxy.connections.filter((connection) => connection.said(name)).map(({ number }) => number);
    proxy.blackhole('down', ({ number }) => deaf.includes(number));
  }),
  'publisher mute': through(redisLink, (proxy) => proxy.blackhole('up', (link) => link.said('holdfast-commands'))),
  'postgres killed': async (arena) => {
    await arena.faulty.postgres.process.kill('SIGKILL');
    await between(arena, 200, 2_000);
    await arena.faulty.postgres.restart();
  },
  'postgres restarted': (arena) => arena.faulty.postgres.restart(),
  'postgres paused': async (arena) => {
    await arena.faulty.postgres.process.kill('SIGSTOP');
    await between(arena, 200, 4_000);
    await arena.faulty.postgres.process.kill('SIGCONT');
  },
  'postgres connections cut': through(postgresLink, (proxy) => proxy.cut(), 1_000),
  'postgres answers lost': async (arena) => {
    postgresLink(arena).blackhole('down');
    await between(arena, 20, 300);
    postgresLink(arena).cut();
    postgresLink(arena).heal();
  },
  'postgres slow': through(postgresLink, (proxy, { random }) => proxy.delay(20 + random() * 300)),
  'postgres refused': through(postgresLink, (proxy) => proxy.refuse(), 2_000),
};

/** Faults of nodes and clients. They may happen together with one of `DEPENDENCY_FAULTS`. */
export const NODE_FAULTS: Readonly<Record<string, Fault>> = {
  'node killed': async (arena) => {
    const node = someNode(arena);
    await node.process.kill('SIGKILL');
    await between(arena, 100, 1_500);
    await restartUntilUp(node);
  },
  'node restarted': async (arena) => restartUntilUp(someNode(arena)),
  'node paused': async (arena) => {
    const { process } = someNode(arena);
    await process.kill('SIGSTOP');
    await between(arena, 200, 5_000);
    await process.kill('SIGCONT');
  },
  'client connections cut': through(someLink, (proxy) => proxy.cut(), 500),
  'clients swallowed': through(someLink, (proxy) => proxy.blackhole()),
  'clients slow': through(someLink, (proxy) => proxy.limit(20_000)),
  'clients delayed': through(someLink, (proxy, { random }) => proxy.delay(random() * 300)),
  'some clients drop': async ({ clients, random }) => {
    for (const client of clients) if (random() < 0.3) client.drop();
  },
  'some clients stop reading': async (arena) => {
    const some = arena.clients.filter(() => arena.random() < 0.3);
    for (const client of some) client.pause();
    await between(arena, 500, 5_000);
    for (const client of some) client.resume();
  },
};

/** Restarts a node, up to six times: it exits when Postgres is unavailable, and an orchestrator would restart it. */
async function restartUntilUp(node: { restart(): Promise<void> }): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await node.restart();
    } catch (error) {
      if (attempt >= 5) throw error;
    }
  }
}

/** Ends every fault of the proxies, and lets paused clients read. */
export async function healAll({ faulty, clientLinks, clients }: Arena): Promise<void> {
  for (const link of [faulty.redisLink, faulty.postgresLink, ...clientLinks]) link.heal();
  for (const client of clients) client.resume();
}
