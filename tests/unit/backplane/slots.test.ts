/** What a Redis Cluster says of its slots becomes a map; where there are holes in it, that is said. */
import { describe, expect, test } from '@jest/globals';
import { changedServers, nameOn, readSlots, SLOTS, serverOf } from '../../../server/backplane/slots.ts';

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
    const map = readSlots(reply(1, 2, 3), HOST);
    expect(map).toHaveLength(SLOTS);
    expect([map[0], map[5_460], map[5_461], map[SLOTS - 1]]).toEqual([
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
    ['a host that it does not know', ['?', 1, 'id', []], false, 'seed:1'],
    ['a hostname beside the address', ['10.0.0.1', 1, 'id', ['hostname', 'a.cache']], false, '10.0.0.1:1'],
    ['the same with TLS', ['10.0.0.1', 1, 'id', ['hostname', 'a.cache']], true, 'a.cache:1'],
    ['TLS and no hostname', ['10.0.0.1', 1, 'id', ['hostname', '']], true, '10.0.0.1:1'],
    ['a server older than 7', ['10.0.0.1', 1, 'id'], true, '10.0.0.1:1'],
  ])('%s', (_what, server, preferHostname, address) => {
    expect(readSlots([[0, SLOTS - 1, server]], { host: 'seed', preferHostname })[0]).toBe(address);
  });
});

test('names go where Redis says they do: by CRC16, or by what is between braces', () => {
  const map = Array.from({ length: SLOTS }, (_, slot) => String(slot));
  // CLUSTER KEYSLOT of a real server.
  expect(serverOf(map, 'holdfast:channel:room:1')).toBe('8553');
  expect(serverOf(map, 'räume')).toBe('444');
  expect(serverOf(map, 'holdfast:channel:{a}')).toBe(serverOf(map, 'a'));
});

test('changed are the servers that give slots, and those that get them', () => {
  const before = readSlots(reply(1, 2, 3), HOST);
  const after = [...before];
  after[0] = '10.0.0.1:2';
  expect(changedServers(undefined, before)).toEqual(new Set(['10.0.0.1:1', '10.0.0.1:2', '10.0.0.1:3']));
  expect(changedServers(before, [...before])).toEqual(new Set());
  expect(changedServers(before, after)).toEqual(new Set(['10.0.0.1:1', '10.0.0.1:2']));
});

test('there is a name for every server, even for one with a single slot', () => {
  const map = readSlots(reply(1), HOST).map((server, slot) => (slot === 7 ? '10.0.0.9:9' : server));
  for (const server of new Set(map)) {
    const name = nameOn(map, server, 'holdfast:canary:node-1:');
    expect([name.startsWith('holdfast:canary:node-1:'), serverOf(map, name)]).toEqual([true, server]);
  }
});
