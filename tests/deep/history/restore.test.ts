/** A history that is restored from an older backup gets a new epoch, and clients are notified. A crash changes no epoch. */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { metric, post } from '../../support/api.ts';
import { NO_RATE_LIMITS } from '../../support/cluster.ts';
import { type FaultyCluster, startFaultyCluster } from '../../support/faults/faulty-cluster.ts';
import { offsetsUpTo, RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually, sleep } from '../../support/wait.ts';

/** Keeps owners and modes, which PostgreSQL checks at start. */
const copy = (from: string, to: string) => promisify(execFile)('cp', ['-a', from, to]);

describeWith('redis')('a restore from an older backup', () => {
  let faulty: FaultyCluster;
  let token: string;

  beforeAll(async () => {
    faulty = await startFaultyCluster({ nodes: 2, env: { ...NO_RATE_LIMITS, LOG_LEVEL: 'info' }, ownPostgres: true });
    token = await faulty.cluster.token({ user: 'ada' });
  }, 60_000);
  afterAll(() => faulty?.stop());

  async function publish(channel: string, from: number, to: number): Promise<void> {
    for (let i = from; i <= to; i++)
      await eventually(async () =>
        expect(
          await post(faulty.node(i).url, token, { channel, data: i, client_msg_id: `${channel}-${i}` }),
        ).toMatchObject({
          ok: true,
        }),
      );
  }

  test('is noticed by the nodes that run, changes the epoch once, and every client is notified', async () => {
    const { postgres } = faulty;
    const channel = 'room:restored';
    const quiet = 'room:quiet';
    await publish(channel, 1, 50);
    await publish(quiet, 1, 5);
    const backup = `${postgres.dataDirectory}.backup`;
    await postgres.process.stop('SIGINT', 15_000);
    await copy(postgres.dataDirectory, backup);
    await postgres.restart();

    await publish(channel, 51, 80);
    const [live, other, away] = await Promise.all(
      [0, 1, 0].map((node) => RawClient.open(faulty.node(node).wsUrl, token)),
    );
    const { epoch } = (await live?.subscribe(channel)) ?? { epoch: '' };
    await other?.subscribe(channel);
    await other?.subscribe(quiet);
    await away?.subscribe(channel);
    away?.close();
    await publish(channel, 81, 90);
    await eventually(() => expect(live?.offsets(channel).at(-1)).toBe(90));

    await postgres.process.stop('SIGINT', 15_000);
    await rm(postgres.dataDirectory, { recursive: true });
    await copy(backup, postgres.dataDirectory);
    await postgres.restart();

    const isTold = (push: { recovered: boolean; reason?: string }) => push.reason === 'epoch_changed';
    const told = await Promise.all([live, other].map((client) => client?.next('subscribed', isTold)));
    expect(told[0]?.epoch).not.toBe(epoch);
    expect(told[1]?.epoch).toBe(told[0]?.epoch);
    // Both nodes noticed; one of them changed the epoch.
    const told2 = await other?.next('subscribed', (push) => push.channel === quiet && isTold(push));
    expect(told2?.epoch).toBe(told[0]?.epoch);
    const regressions = await Promise.all(
      [0, 1].map((node) => metric(faulty.node(node).metricsUrl, 'holdfast_history_regressions_total')),
    );
    expect(Math.max(...regressions)).toBeGreaterThanOrEqual(1);

    const back = await RawClient.open(faulty.node(1).wsUrl, token);
    expect(await back.subscribe(channel, { epoch, offset: 80 })).toMatchObject({
      recovered: false,
      reason: 'epoch_changed',
    });
    const older = await RawClient.open(faulty.node(1).wsUrl, token);
    // Also for a position within the restored history: its messages may differ from those that the client has.
    expect(await older.subscribe(channel, { epoch, offset: 10 })).toMatchObject({
      recovered: false,
      reason: 'epoch_changed',
    });
    const { offset } = told[0] ?? { offset: 0 };
    await publish(channel, 101, 110);
    await eventually(() => {
      for (const client of [live, other])
        expect(client?.messages(channel).filter((message) => Number(message.data) > 100)).toHaveLength(10);
    });
    expect(live?.offsets(channel).slice(-10)).toEqual(offsetsUpTo(10).map((n) => offset + n));
    for (const client of [live, other, back, older]) client?.close();
  }, 90_000);

  test('a crash that loses nothing changes no epoch', async () => {
    const channel = 'room:crashed';
    const client = await RawClient.open(faulty.node(0).wsUrl, token);
    const { epoch } = await client.subscribe(channel);
    await publish(channel, 1, 20);
    for (let round = 0; round < 3; round++) {
      await faulty.postgres.process.kill('SIGKILL');
      await sleep(300);
      await faulty.postgres.restart();
      await publish(channel, 21 + round, 21 + round);
    }
    await eventually(() => expect(client.offsets(channel)).toEqual(offsetsUpTo(23)));
    await sleep(1_000);
    expect(client.pushes.filter((push) => push.type === 'subscribed')).toHaveLength(1);
    expect((await post(faulty.node(1).url, token, { channel, data: 0 })).epoch).toBe(epoch);
    client.close();
  }, 90_000);
});
