/** What a Redis Cluster says of its slots becomes a map; where there are holes in it, that is said. */
import { describe, expect, test } from '@jest/globals';
import slotOf from 'cluster-key-slot';
import { mostCommon, nameOn, readSlots, SLOTS } from '../../../../server/backplane/slots.ts';

const HOST = { host: 'seed', preferHostname: false };
const reply = (...ports: number[]) =>
  ports.map((port, i) => [
    Math.floor((i * SLOTS) / ports.length),
    Math.floor(((i + 1) * SLOTS) / ports.length) - 1,
    ['10.0.0.1', port, `id-${port}`, []],
    ['10.0.0.2', port, `replica-${port}`, []],
  ]);

describe('readSlots', () => {
  test('gives each slot its primary, and never a replica', () => {
    const { owners } = readSlots(reply(1, 2, 3), HOST);
    expect(owners).toHaveLength(SLOTS);
    expect([owners[0], owners[5_460], owners[5_461], owners[SLOTS - 1]]).toEqual([
      ...['10.0.0.1:1', '10.0.0.1:1', '10.0.0.1:2', '10.0.0.1:3'],
    ]);
  });

  test('refuses a cluster with holes, and says how large they are', () => {
    const holes = /^The Redis Cluster is not complete: 16284 of its slots have no server\.$/;
    expect(() => readSlots([[0, 99, ['10.0.0.1', 1, 'id', []]]], HOST)).toThrow(holes);
    expect(() => readSlots([], HOST)).toThrow(/16384 of its slots/);
    expect(() => readSlots(null, HOST)).toThrow(/16384 of its slots/);
  });

  test.each<[string, unknown[], boolean, string]>([
    ['an address', ['10.0.0.1', 1, 'id', []], false, '10.0.0.1:1'],
    ['an IPv6 address', ['fd00::1', 1, 'id', []], false, 'fd00::1:1'],
    ['no host: that of the server that was asked', [null, 1, 'id', []], false, 'seed:1'],
    ['an empty host', ['', 1, 'id', []], false, 'seed:1'],
    ['a hostname that it does not know', ['?', 1, 'id', ['ip', '10.0.0.1']], false, '10.0.0.1:1'],
    ['the same with TLS', ['10.0.0.1', 1, 'id', ['hostname', '?']], true, '10.0.0.1:1'],
    ['a hostname beside the address', ['10.0.0.1', 1, 'id', ['hostname', 'a.cache']], false, '10.0.0.1:1'],
    ['a hostname beside it, with TLS', ['10.0.0.1', 1, 'id', ['hostname', 'a.cache']], true, 'a.cache:1'],
    ['TLS and no hostname', ['10.0.0.1', 1, 'id', ['hostname', '']], true, '10.0.0.1:1'],
    ['a server older than 7', ['10.0.0.1', 1, 'id'], true, '10.0.0.1:1'],
  ])('%s', (_what, server, preferHostname, address) => {
    expect(readSlots([[0, SLOTS - 1, server]], { host: 'seed', preferHostname }).owners[0]).toBe(address);
  });
});

test('a server that nobody could find is refused', () => {
  const said = () => readSlots([[0, SLOTS - 1, ['?', 6379, 'id', []]]], HOST);
  expect(said).toThrow('The Redis Cluster reports no host for its server at port 6379.');
});

test('the order in which ranges come does not matter', () => {
  const ranges = reply(1, 2, 3);
  const key = (order: unknown[]) => readSlots(order, HOST).key;
  expect(key([...ranges].reverse())).toBe(key(ranges));
  expect(key(reply(1, 3, 2))).not.toBe(key(ranges));
});

test('slots are those that Redis counts: by CRC16, or by what is between braces', () => {
  // CLUSTER KEYSLOT of a real server.
  expect(slotOf('holdfast:channel:room:1')).toBe(8553);
  expect(slotOf('räume')).toBe(444);
  expect(slotOf('holdfast:channel:{a}')).toBe(slotOf('a'));
});

test('what most say counts, and among equals what is known already', () => {
  const [a, b] = [readSlots(reply(1, 2), HOST), readSlots(reply(2, 1), HOST)];
  expect(mostCommon([a, b, b], a)).toBe(b);
  expect(mostCommon([b, a], a)).toBe(a);
  expect(mostCommon([b, a], undefined)).toBe(b);
  expect(mostCommon([b], a)).toBe(b);
  expect(mostCommon([], a)).toBeUndefined();
});

test('there is a name for every server, even for one with a single slot', () => {
  const owners = readSlots(reply(1), HOST).owners.map((server, slot) => (slot === 7 ? '10.0.0.9:9' : server));
  for (const server of new Set(owners)) {
    const name = nameOn({ owners, key: '' }, server, 'holdfast:canary:node-1:');
    expect([name.startsWith('holdfast:canary:node-1:'), owners[slotOf(name)]]).toEqual([true, server]);
  }
});
