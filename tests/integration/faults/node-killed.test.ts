/**
 * A node is killed with SIGKILL while it commits: every message that it acknowledged is in the history and reaches every
 * subscriber. Faults of Redis and Postgres have files of their own; nodes that leave in order are in `../drain`.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { readAll } from '../../support/api.ts';
import { NO_RATE_LIMITS, startTestCluster } from '../../support/cluster.ts';
import { offsetsUpTo, RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually, sleep } from '../../support/wait.ts';

/** Keeps 50 publishes in flight, records every acknowledged message, and resolves when the connection closes. */
async function publishUntilCut(
  wsUrl: string,
  token: string,
  channel: string,
  acked: Map<number, string>,
): Promise<void> {
  const client = await RawClient.open(wsUrl, token);
  let sent = 0;
  const send = () => client.send({ type: 'publish', id: `m${++sent}`, channel, data: `${wsUrl} m${sent}` });
  client.ws.on('message', (frame) => {
    const push = JSON.parse(String(frame)) as { type: string; id?: string; offset?: number };
    if (push.type !== 'ack') return;
    acked.set(push.offset as number, `${wsUrl} ${push.id}`);
    if (client.ws.readyState === client.ws.OPEN) send();
  });
  for (let i = 0; i < 50; i++) send();
  await client.closeCode(60_000);
}

describeWith('redis')('a killed node', () => {
  let cluster: Cluster;
  let token: string;

  beforeAll(async () => {
    cluster = await startTestCluster({ nodes: 2, env: { LOG_LEVEL: 'warn', ...NO_RATE_LIMITS } });
    token = await cluster.token({ user: 'ada' });
  });
  afterAll(() => cluster?.stop());

  const node = (index: number) => cluster.node(index);

  test('after kill -9 of a node under load, every acknowledged message is in the history and at every subscriber that recovered', async () => {
    const channel = 'room:killed';
    const acked = new Map<number, string>();
    const survivor = await RawClient.open(node(1).wsUrl, token);
    await survivor.subscribe(channel);
    for (let round = 0; round < 3; round++) {
      const victim = await RawClient.open(node(0).wsUrl, token);
      const { epoch, offset } = await victim.subscribe(channel);
      const publishing = publishUntilCut(node(0).wsUrl, token, channel, acked);
      await sleep(300 + round * 137);
      await node(0).process.kill('SIGKILL');
      await publishing;
      await victim.closeCode();
      const got = victim.offsets();
      expect(got).toEqual(got.map((_, i) => offset + 1 + i));
      const returned = await RawClient.open(node(1).wsUrl, token);
      const position = { epoch, offset: got.at(-1) ?? offset };
      expect(await returned.subscribe(channel, position)).toMatchObject({ recovered: true, offset: position.offset });
      const last = Math.max(...acked.keys());
      await eventually(() => expect(returned.offsets().at(-1) ?? position.offset).toBeGreaterThanOrEqual(last));
      expect(returned.offsets()).toEqual(returned.offsets().map((_, i) => position.offset + 1 + i));
      returned.close();
      await node(0).restart();
    }
    expect(acked.size).toBeGreaterThan(200);
    const history = await readAll(node(1).url, token, channel);
    expect(history.map((message) => message.offset)).toEqual(offsetsUpTo(history.length));
    for (const [offset, data] of acked) expect(history[offset - 1]?.data).toBe(data);
    // The other node found in the history what the killed node had committed and not announced.
    await eventually(() => expect(survivor.offsets()).toEqual(offsetsUpTo(history.length)));
    survivor.close();
  }, 120_000);
});
