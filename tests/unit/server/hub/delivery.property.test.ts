/** Invariants 2 and 3 (README.md) in simulated clusters, under random orders of events. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SimulatedClient } from '../../../support/simulated-client.ts';
import { World } from '../../../support/simulation.ts';

const CHANNELS = ['a', 'b'];
const NODES = 3;
const CLIENTS = 5;

type Action =
  | { kind: 'publish'; node: number; channel: number; count: number }
  | { kind: 'connect' | 'disconnect' | 'block' | 'unblock'; client: number; node: number }
  | { kind: 'backplane'; node: number; up: boolean }
  | { kind: 'historyReturned'; node: number }
  | { kind: 'expire'; channel: number; share: number }
  | { kind: 'restore'; keep: number }
  | { kind: 'run'; steps: number };

const below = (max: number) => fc.nat({ max: max - 1 });
const client = { client: below(CLIENTS), node: below(NODES) };
const publish = fc.record({
  kind: fc.constant('publish' as const),
  node: below(NODES),
  channel: below(CHANNELS.length),
  count: fc.integer({ min: 1, max: 4 }),
});
const run = fc.record({ kind: fc.constant('run' as const), steps: fc.integer({ min: 1, max: 12 }) });
const connect = fc.record({ kind: fc.constant('connect' as const), ...client });
const other = fc.oneof(
  fc.record({ kind: fc.constant('disconnect' as const), ...client }),
  fc.record({ kind: fc.constant('backplane' as const), node: below(NODES), up: fc.boolean() }),
);
const slow = fc.record({ kind: fc.constantFrom('block' as const, 'unblock' as const), ...client });
const historyReturned = fc.record({ kind: fc.constant('historyReturned' as const), node: below(NODES) });
const disaster = fc.oneof(
  fc.record({
    kind: fc.constant('expire' as const),
    channel: below(CHANNELS.length),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  fc.record({ kind: fc.constant('restore' as const), keep: fc.double({ min: 0, max: 1, noNaN: true }) }),
);

function apply(world: World, action: Action): void {
  if (action.kind === 'publish') {
    world.commit(world.nodes[action.node] as World['nodes'][number], CHANNELS[action.channel] as string, action.count);
  } else if (action.kind === 'backplane') {
    world.nodes[action.node]?.backplane.setUp(action.up);
  } else if (action.kind === 'historyReturned') {
    world.nodes[action.node]?.hub.historyRestored();
  } else if (action.kind === 'expire') {
    const channel = CHANNELS[action.channel] as string;
    world.expire(channel, Math.floor(world.topOf(channel) * action.share) + 1);
  } else if (action.kind === 'restore') {
    world.restore(action.keep);
  } else if (action.kind !== 'run') {
    const target = world.clients[action.client];
    if (action.kind === 'connect') target?.connect(world.nodes[action.node] as World['nodes'][number]);
    else target?.[action.kind]();
  }
}

async function simulate(actions: readonly Action[], seed: number): Promise<World> {
  SimulatedClient.failures = [];
  const world = new World(seed, NODES);
  for (let i = 0; i < CLIENTS; i++) {
    const node = world.nodes[i % NODES] as World['nodes'][number];
    world.clients.push(new SimulatedClient(world, `client ${i}`, CHANNELS[i % CHANNELS.length] as string, node));
  }
  await world.start();
  for (const action of actions) {
    apply(world, action);
    const steps = action.kind === 'run' ? action.steps : 1;
    for (let i = 0; i < steps; i++) await world.step();
  }
  await world.settle();
  if (SimulatedClient.failures.length > 0) throw SimulatedClient.failures[0];
  // A simulated restore always changes the epoch, so within one epoch no message is ever missing.
  expect(world.falseAlarms).toEqual([]);
  return world;
}

const RUNS = Number(process.env.PROPERTY_RUNS ?? 1_500);
const TIMEOUT_MS = 600_000;

/** Simulates random lists of these actions, each with a random order of tasks. */
function simulateAll(...choices: { weight: number; arbitrary: fc.Arbitrary<Action> }[]): Promise<void> {
  const actions = fc.array(fc.oneof(...choices), { maxLength: 40, size: 'max' });
  const property = fc.asyncProperty(actions, fc.integer(), async (list, seed) => void (await simulate(list, seed)));
  return fc.assert(property, { numRuns: RUNS });
}

const ORDINARY = [
  { weight: 4, arbitrary: publish },
  { weight: 3, arbitrary: connect },
  { weight: 3, arbitrary: run },
  { weight: 3, arbitrary: other },
  { weight: 3, arbitrary: slow },
  { weight: 2, arbitrary: historyReturned },
];

test(
  'every subscriber gets every message once, in order, while announcements are lost, doubled or late and connections end',
  () => simulateAll(...ORDINARY),
  TIMEOUT_MS,
);

test(
  'subscribers are notified of messages that retention or a restore removed, and never see a hole',
  () => simulateAll(...ORDINARY, { weight: 2, arbitrary: disaster }),
  TIMEOUT_MS,
);

test('the simulation itself delivers: a quiet run ends with everything received', async () => {
  const actions: Action[] = [
    { kind: 'connect', client: 0, node: 1 },
    { kind: 'run', steps: 12 },
    ...Array.from({ length: 5 }, (): Action => ({ kind: 'publish', node: 0, channel: 0, count: 2 })),
    { kind: 'run', steps: 12 },
  ];
  const world = await simulate(actions, 7);
  expect(world.clients[0]?.position).toEqual({ epoch: 'e1', offset: 10 });
});
