/** The slot map: reading the reply to CLUSTER SLOTS, voting between replies, and the channels that change servers. */
import { describe, expect, test } from '@jest/globals';
import slotOf from 'cluster-key-slot';
import { mostCommon, nameOn, readSlots, reassignments, SLOTS } from '../../../../server/backplane/slots.ts';

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

  test('throws if slots have no server, with their number', () => {
    const uncovered = /^The Redis Cluster is not complete: 16284 of its slots have no server\.$/;
    expect(() => readSlots([[0, 99, ['10.0.0.1', 1, 'id', []]]], HOST)).toThrow(uncovered);
    expect(() => readSlots([], HOST)).toThrow(/16384 of its slots/);
    expect(() => readSlots(null, HOST)).toThrow(/16384 of its slots/);
  });

  test.each<[string, unknown[], boolean, string]>([
    ['an address', ['10.0.0.1', 1, 'id', []], false, '10.0.0.1:1'],
    ['an IPv6 address', ['fd00::1', 1, 'id', []], false, 'fd00::1:1'],
    ['no host: the host of the server that replied', [null, 1, 'id', []], false, 'seed:1'],
    ['an empty host', ['', 1, 'id', []], false, 'seed:1'],
    ['an unknown hostname', ['?', 1, 'id', ['ip', '10.0.0.1']], false, '10.0.0.1:1'],
    ['the same with TLS', ['10.0.0.1', 1, 'id', ['hostname', '?']], true, '10.0.0.1:1'],
    ['a hostname beside the address', ['10.0.0.1', 1, 'id', ['hostname', 'a.cache']], false, '10.0.0.1:1'],
    ['a hostname beside it, with TLS', ['10.0.0.1', 1, 'id', ['hostname', 'a.cache']], true, 'a.cache:1'],
    ['TLS and no hostname', ['10.0.0.1', 1, 'id', ['hostname', '']], true, '10.0.0.1:1'],
    ['a server older than 7', ['10.0.0.1', 1, 'id'], true, '10.0.0.1:1'],
  ])('%s', (_what, server, preferHostname, address) => {
    expect(readSlots([[0, SLOTS - 1, server]], { host: 'seed', preferHostname }).owners[0]).toBe(address);
  });
});

test('a server without a host is an error', () => {
  const read = () => readSlots([[0, SLOTS - 1, ['?', 6379, 'id', []]]], HOST);
  expect(read).toThrow('The Redis Cluster reports no host for its server at port 6379.');
});

test('the order of the ranges does not matter', () => {
  const ranges = reply(1, 2, 3);
  const key = (order: unknown[]) => readSlots(order, HOST).key;
  expect(key([...ranges].reverse())).toBe(key(ranges));
  expect(key(reply(1, 3, 2))).not.toBe(key(ranges));
});

test('slots are those of Redis: the CRC16 of the name, or of its part in braces', () => {
  // CLUSTER KEYSLOT of a real server.
  expect(slotOf('holdfast:channel:room:1')).toBe(8553);
  expect(slotOf('räume')).toBe(444);
  expect(slotOf('holdfast:channel:{a}')).toBe(slotOf('a'));
});

test('the most common map wins, and in a tie the current one', () => {
  const [a, b] = [readSlots(reply(1, 2), HOST), readSlots(reply(2, 1), HOST)];
  expect(mostCommon([a, b, b], a)).toBe(b);
  expect(mostCommon([b, a], a)).toBe(a);
  expect(mostCommon([b, a], undefined)).toBe(b);
  expect(mostCommon([b], a)).toBe(b);
  expect(mostCommon([], a)).toBeUndefined();
});

test('every server has a canary channel, even one with a single slot', () => {
  const owners = readSlots(reply(1), HOST).owners.map((server, slot) => (slot === 7 ? '10.0.0.9:9' : server));
  for (const server of new Set(owners)) {
    const name = nameOn({ owners, key: '' }, server, 'holdfast:canary:node-1:');
    expect([name.startsWith('holdfast:canary:node-1:'), owners[slotOf(name)]]).toEqual([true, server]);
  }
});

test('a channel whose slot moves is released by one server and gained by another; the others stay', () => {
  const slots = new Map([
    ['first', 0],
    ['last', SLOTS - 1],
  ]);
  const [before, after] = [readSlots(reply(1, 2), HOST), readSlots(reply(1, 3), HOST)];
  expect([...reassignments(slots, before, after)]).toEqual([
    ['10.0.0.1:2', { gained: [], released: ['last'] }],
    ['10.0.0.1:3', { gained: ['last'], released: [] }],
  ]);
  expect([...reassignments(slots, undefined, before)]).toEqual([
    ['10.0.0.1:1', { gained: ['first'], released: [] }],
    ['10.0.0.1:2', { gained: ['last'], released: [] }],
  ]);
});
