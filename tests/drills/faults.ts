/**
 * The real fault of every alert: processes are killed and suspended, networks cut, permissions revoked, clients misbehave.
 * `inject` returns the function that ends the fault.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';
import { signToken } from '../../infra/local/token/sign-token.ts';
import { post } from '../support/api.ts';
import { RawClient } from '../support/raw-client.ts';
import { eventually } from '../support/wait.ts';
import {
  fakeTimeLibrary,
  type Heal,
  lockMessages,
  openAll,
  repeat,
  slowClients,
  smallHeap,
  stopped,
} from './injections.ts';
import type { Factor, Stage } from './stage.ts';

export interface Fault {
  /** What happens, in one sentence. */
  readonly fault: string;
  /** Alerts that the fault must fire, with the time compression of each. Others may fire too. */
  readonly alerts: Readonly<Record<string, Factor>>;
  readonly inject: (stage: Stage) => Promise<Heal>;
}

export const FAULTS: readonly Fault[] = [
  {
    fault: 'every node is at MAX_CONNECTIONS, and more clients try to connect',
    alerts: {
      HoldfastConnectBudgetBurn: 60,
      HoldfastConnectBudgetBurnSlow: 1_200,
      HoldfastHeadroomLow: 60,
      HoldfastConnectionsRefused: 60,
    },
    inject: async ({ faulty, token }) => {
      const crowd = await openAll(
        faulty.cluster.nodes.flatMap((node) => Array(300).fill(node.wsUrl) as string[]),
        token,
      );
      const connecting = repeat(100, async () => {
        const refused = new RawClient(faulty.node(0).wsUrl);
        await refused.closeCode(2_000).catch(() => {});
      });
      return async () => {
        await connecting();
        for (const client of crowd) client.close();
      };
    },
  },
  {
    fault: 'Postgres is killed',
    alerts: { HoldfastPostgresDown: 60, HoldfastPublishBudgetBurn: 60, HoldfastPublishBudgetBurnSlow: 1_200 },
    inject: async ({ faulty, token }) => {
      faulty.postgres.process.kill('SIGKILL');
      await faulty.postgres.process.exited;
      const url = faulty.node(0).url;
      const publishing = repeat(100, () => post(url, token, { channel: 'room:0', data: 1 }).catch(() => {}));
      return async () => {
        await publishing();
        await faulty.postgres.restart();
      };
    },
  },
  {
    fault: 'the network to Redis has a latency of 160 ms each way',
    alerts: { HoldfastDeliverBudgetBurn: 60, HoldfastDeliverBudgetBurnSlow: 1_200, HoldfastRedisSlow: 60 },
    inject: async ({ faulty }) => {
      faulty.redisLink.delay(160);
      return () => faulty.redisLink.heal();
    },
  },
  {
    fault: 'Redis is killed',
    alerts: { HoldfastRedisDown: 60 },
    inject: async ({ faulty }) => {
      faulty.redis.process.kill('SIGKILL');
      await faulty.redis.process.exited;
      return () => faulty.restartRedis();
    },
  },
  {
    fault: 'open Redis connections repeatedly deliver nothing',
    alerts: { HoldfastRedisDeaf: 60 },
    inject: async ({ faulty }) =>
      repeat(
        1_500,
        async () => {
          // Only the present connections; the next ones that the nodes open work.
          const deaf = new Set(faulty.redisLink.connections.map(({ number }) => number));
          faulty.redisLink.heal();
          faulty.redisLink.blackhole('down', ({ number }) => deaf.has(number));
        },
        () => faulty.redisLink.heal(),
      ),
  },
  {
    fault: 'the permission to publish is revoked in Redis',
    alerts: { HoldfastRedisRefuses: 60 },
    inject: async ({ faulty }) => {
      await faulty.redis.command(['ACL', 'SETUSER', 'default', '-publish']);
      return () => faulty.redis.command(['ACL', 'SETUSER', 'default', '+publish']);
    },
  },
  {
    fault: 'a node is started with another REDIS_PREFIX',
    alerts: { HoldfastAnnouncementsLost: 60 },
    inject: async ({ faulty }) => {
      await faulty.node(1).restart({ REDIS_PREFIX: 'other:' });
      return () => faulty.node(1).restart({ REDIS_PREFIX: 'holdfast:' });
    },
  },
  {
    fault: 'the network to Postgres has a latency of 160 ms each way',
    alerts: { HoldfastCommitsSlow: 60 },
    inject: async ({ faulty }) => {
      faulty.postgresLink.delay(160);
      return () => faulty.postgresLink.heal();
    },
  },
  {
    fault: 'the table of messages is locked while clients publish and read',
    alerts: { HoldfastHistoryQueueFilling: 60, HoldfastPoolExhausted: 60 },
    inject: lockMessages,
  },
  {
    fault: 'a backup is restored repeatedly',
    alerts: { HoldfastHistoryRegressed: 60, HoldfastMessagesLost: 60 },
    inject: async ({ sql }) => {
      // A restore removes the newest messages and cuts connections.
      const losing = repeat(50, () =>
        sql(`WITH back AS (UPDATE channels SET top = greatest(top - 2, 0) RETURNING id, top)
             DELETE FROM messages m USING back b WHERE m.channel_id = b.id AND m."offset" > b.top`),
      );
      const cutting = repeat(3_000, () =>
        sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast'`),
      );
      return () => Promise.all([losing(), cutting()]);
    },
  },
  {
    fault: 'clients recover with positions of another database',
    alerts: { HoldfastRecoveriesIncomplete: 60 },
    inject: async ({ faulty, token }) => {
      const client = await RawClient.open(faulty.node(0).wsUrl, token);
      let i = 0;
      const stop = repeat(50, () => client.subscribe(`room:lost-${i++}`, { epoch: 'another', offset: 7 }));
      return async () => {
        await stop();
        client.close();
      };
    },
  },
  {
    fault: 'the SQL function that creates partitions is missing',
    alerts: { HoldfastMaintenanceFailing: 60 },
    inject: async ({ sql }) => {
      await sql('ALTER FUNCTION ensure_partitions RENAME TO ensure_partitions_gone');
      return () => sql('ALTER FUNCTION ensure_partitions_gone RENAME TO ensure_partitions');
    },
  },
  {
    fault: 'the schema is changed by hand',
    alerts: { HoldfastInternalErrors: 60 },
    inject: async ({ sql }) => {
      await sql('ALTER FUNCTION append_messages RENAME TO append_messages_gone');
      return () => sql('ALTER FUNCTION append_messages_gone RENAME TO append_messages');
    },
  },
  {
    fault: 'clients on a connection of 1 KB/s subscribe to a channel of megabytes',
    alerts: { HoldfastSlowConsumersClosed: 60 },
    inject: slowClients,
  },
  {
    fault: '200 clients disconnect at once',
    alerts: { HoldfastConnectionsLost: 60 },
    inject: async ({ faulty, token, prometheus }) => {
      const crowd = await openAll(
        faulty.cluster.nodes.flatMap((node) => Array(100).fill(node.wsUrl) as string[]),
        token,
      );
      // The alert compares with 10 minutes ago: wait until the connections are that old, 10 s in compressed time.
      await eventually(async () => {
        const [then] = await prometheus[60].query('sum(last_over_time(holdfast_connections[1s] offset 10s))');
        if (Number(then?.values[0]?.[1] ?? 0) < 200) throw new Error('The connections are not old enough yet.');
      });
      for (const client of crowd) client.close();
      return () => {};
    },
  },
  {
    fault: 'clients reconnect in a loop',
    alerts: { HoldfastReconnectStorm: 60 },
    inject: async ({ faulty, prometheus }) => {
      await eventually(
        async () => {
          const [then] = await prometheus[60].query('sum(rate(holdfast_handshakes_total[2s] offset 60s))');
          if (!then) throw new Error('There is no series of 1 hour ago yet.');
        },
        { timeoutMs: 90_000 },
      );
      return repeat(10, async () => {
        const client = new RawClient(faulty.node(0).wsUrl);
        client.ws.once('open', () => client.ws.close(1000));
      });
    },
  },
  {
    fault: 'a client tries tokens signed with another key',
    alerts: { HoldfastAuthenticationRejected: 60 },
    inject: async ({ faulty }) => {
      const forged = await signToken({ user: 'mallory' }, 'another-secret-of-at-least-32-bytes');
      return repeat(100, () =>
        fetch(`${faulty.node(0).url}/auth/ticket`, { method: 'POST', headers: { authorization: `Bearer ${forged}` } }),
      );
    },
  },
  {
    fault: 'connections are cut without a close frame',
    alerts: { HoldfastAbnormalCloses: 60 },
    inject: async ({ faulty, token }) =>
      repeat(50, async () => {
        const client = await RawClient.open(faulty.node(0).wsUrl, token);
        client.close();
      }),
  },
  {
    fault: 'a node gets no CPU for 0.9 s at a time',
    alerts: { HoldfastEventLoopBlocked: 60 },
    inject: async ({ faulty }) => {
      const { process } = faulty.node(0);
      return repeat(700, async () => {
        process.kill('SIGSTOP');
        await sleep(900);
        process.kill('SIGCONT');
      });
    },
  },
  {
    fault: 'a node gets more requests than it can answer',
    alerts: { HoldfastEventLoopSaturated: 60 },
    inject: async ({ faulty }) => {
      // Large requests that are rejected with a short answer cost the node far more than the sender. Eight in flight keep it busy;
      // behind a hundred, a scrape would wait longer than its timeout, and Prometheus would see nothing.
      const flood = autocannon({
        url: `${faulty.node(0).url}/v1/chat.postMessage`,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ data: Array(25_000).fill(0) }),
        connections: 4,
        pipelining: 2,
        duration: 300,
      });
      return async () => {
        (flood as unknown as { stop(): void }).stop();
        await flood;
      };
    },
  },
  {
    fault: 'a node has too little memory for its load',
    alerts: { HoldfastMemoryHigh: 60 },
    inject: smallHeap,
  },
  {
    fault: 'a node drains at 1 connection per second',
    alerts: { HoldfastDrainStuck: 60 },
    inject: async ({ faulty, token }) => {
      const node = faulty.node(1);
      await node.restart({ DRAIN_RATE: '1', DRAIN_TIMEOUT_MS: '60000' });
      const crowd = await openAll(Array(100).fill(node.wsUrl) as string[], token);
      const left = node.stop();
      return async () => {
        for (const client of crowd) client.close();
        await left;
        await node.restart({ DRAIN_RATE: '50', DRAIN_TIMEOUT_MS: '5000' });
      };
    },
  },
  {
    fault: 'the clock of a node is ten seconds slow',
    alerts: { HoldfastClockSkew: 60 },
    inject: async ({ faulty }) => {
      const node = faulty.node(1);
      await node.restart({ LD_PRELOAD: fakeTimeLibrary(), FAKETIME: '-10s', FAKETIME_DONT_FAKE_MONOTONIC: '1' });
      return () => node.restart({ LD_PRELOAD: '', FAKETIME: '' });
    },
  },
  {
    fault: 'a node hangs',
    alerts: { HoldfastNodeUnreachable: 60 },
    inject: async ({ faulty }) => stopped([faulty.node(1)]),
  },
  {
    fault: 'all nodes hang',
    alerts: { HoldfastNodesAbsent: 60 },
    inject: async ({ faulty }) => stopped(faulty.cluster.nodes),
  },
  {
    fault: 'the network from the probe to the service is cut',
    alerts: { HoldfastProbeFailing: 60, HoldfastProbeBudgetBurn: 60, HoldfastProbeBudgetBurnSlow: 1_200 },
    inject: async ({ probeLink }) => {
      probeLink.refuse();
      return () => probeLink.heal();
    },
  },
  {
    fault: 'the probe is killed',
    alerts: { HoldfastProbeAbsent: 60 },
    inject: async ({ probe }) => {
      probe.process.kill('SIGKILL');
      await probe.process.exited;
      return () => probe.restart();
    },
  },
];
