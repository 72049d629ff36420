/**
 * Frames from wsproto, which shares no code with the WebSocket library of the server: unusual valid frames are served,
 * invalid ones are answered with the right close code. Invalid commands and HTTP requests are in `requests.test.ts`;
 * limits that an ordinary client meets are in `tests/integration/access/limits.test.ts`.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { CLOSE_CODES } from '../../../server/protocol/codes.ts';
import { metric, post } from '../../support/api.ts';
import { NO_RATE_LIMITS, startTestCluster } from '../../support/cluster.ts';
import { offsetsUpTo, RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually } from '../../support/wait.ts';

const ATTACKER = join(import.meta.dirname, '..', '..', 'support', 'hostile', 'attacker.py');
/** The Python of Debian, for which the package python3-wsproto is installed. */
const PYTHON = '/usr/bin/python3';
const SEED = 20;

interface Outcome {
  readonly name: string;
  readonly close: number | null;
  readonly texts: readonly string[];
  readonly pongs: readonly string[];
}

describeWith('wsproto')('frames of another implementation', () => {
  let cluster: Cluster;
  let outcomes: Outcome[];
  let bystander: RawClient;

  beforeAll(async () => {
    cluster = await startTestCluster({ nodes: 1, redis: false, env: { ...NO_RATE_LIMITS, LOG_LEVEL: 'error' } });
    const node = cluster.node(0);
    const token = await cluster.token({ user: 'mallory' });
    bystander = await RawClient.open(node.wsUrl, await cluster.token({ user: 'ada' }));
    await bystander.subscribe('room:bystander');
    const attack = promisify(execFile)(PYTHON, [ATTACKER, String(node.port), token, String(SEED)], { maxBuffer: 16e6 });
    let sent = 0;
    let attacking = true;
    const publishing = (async () => {
      while (attacking)
        await post(node.url, await cluster.token({ user: 'ben' }), { channel: 'room:bystander', data: ++sent });
    })();
    const { stdout } = await attack.finally(() => {
      attacking = false;
    });
    await publishing;
    outcomes = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Outcome);
    await eventually(() => expect(bystander.offsets()).toEqual(offsetsUpTo(sent)));
  }, 120_000);
  afterAll(async () => {
    bystander?.close();
    await cluster?.stop();
  });

  const outcome = (name: string) => outcomes.find((candidate) => candidate.name === name);
  const matching = (text: string) => outcomes.filter((candidate) => candidate.name.includes(text));

  test.each([
    'one byte per frame',
    'fragments of wsproto',
    'empty fragments',
    'an unsolicited pong',
    'a frame in many segments',
  ])('%s is served', (name) => {
    expect(outcome(name)).toMatchObject({ close: null });
    expect(outcome(name)?.texts).toContain('pong');
  });

  test('pings are answered with their payload, even between the fragments of a message', () => {
    expect(outcome('a ping between fragments')).toMatchObject({ close: null, pongs: ['between'] });
    expect(outcome('a ping of 125 bytes')).toMatchObject({ close: null, pongs: ['x'.repeat(125)] });
  });

  test('each frame in a TCP segment with many is served', () => {
    expect(outcome('frames in one segment')?.texts.filter((text) => text === 'pong').length).toBe(21);
  });

  test('a close is answered with its code', () => {
    for (const code of [1000, 1001, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999])
      expect(outcome(`close ${code}`)).toMatchObject({ close: code });
    expect(outcome('close without a code')?.close).not.toBeNull();
  });

  test.each([
    ['reserved bit', 1002, 3],
    ['opcode', 1002, 4],
    ['unmasked', 1002, 1],
    ['a ping of 126 bytes', 1002, 1],
    ['a ping in fragments', 1002, 1],
    ['a continuation of nothing', 1002, 1],
    ['a message within a message', 1002, 1],
    ['UTF-8', 1007, 9],
    ['binary', 1003, 1],
    ['close with ', 1002, 9],
    ['half a close code', 1002, 1],
    ['over the limit', 1009, 2],
    ['a length of', 1009, 2],
    ['a hundred thousand empty fragments', 1008, 1],
  ])('%s is closed with %i', (name, code, count) => {
    const found = matching(name);
    expect(found).toHaveLength(count);
    expect(found.map(({ close }) => close)).toEqual(found.map(() => code));
  });

  test('mutated streams end with documented close codes or not at all, and leave no connection behind', async () => {
    const node = cluster.node(0);
    const known: (number | null)[] = [null, -1, 1006, ...Object.values(CLOSE_CODES).map(({ code }) => code)];
    const mutated = matching('mutation');
    expect(mutated).toHaveLength(60);
    for (const { close } of mutated) expect(known).toContain(close);
    // Enough mutations broke something to prove something.
    expect(mutated.filter(({ close }) => close !== null && close > 1000).length).toBeGreaterThan(10);
    expect(node.process.exit).toBeUndefined();
    expect(await metric(node.metricsUrl, 'holdfast_errors_total', { code: 'internal' })).toBe(0);
    await eventually(async () => expect(await metric(node.metricsUrl, 'holdfast_connections')).toBe(1));
  });

  test('compression that a client offers is not negotiated, so no frame can expand', async () => {
    expect(outcome('reserved bit 4')).toMatchObject({ close: 1002 });
    const node = cluster.node(0);
    const client = new RawClient(node.wsUrl, { ws: { perMessageDeflate: true } });
    await eventually(() => expect(client.ws.readyState).toBe(client.ws.OPEN));
    expect(client.ws.extensions).toBe('');
    client.close();
  });
});
