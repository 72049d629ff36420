/** `PresenceRoom`: users and not connections are members, changes are gathered, and an outage of the store reports no user as gone. */
import { describe, expect, test } from '@jest/globals';
import type { PresenceStore } from '../../../../server/backplane/types.ts';
import type { Clock } from '../../../../server/hub/clock.ts';
import { PresenceRoom } from '../../../../server/hub/presence-room.ts';
import type { PresenceListener } from '../../../../server/hub/types.ts';

const TTL_MS = 30_000;
/** Longer than changes are gathered, and shorter than the time to the first refresh. */
const SOON_MS = 200;

/** A clock that only `advance` moves. */
class ManualClock implements Clock {
  private time = 0;
  private timers: { readonly at: number; readonly run: () => void }[] = [];

  get pending(): number {
    return this.timers.length;
  }

  now(): number {
    return this.time;
  }

  soon(run: () => void): void {
    this.later(0, run);
  }

  later(ms: number, run: () => void): () => void {
    const timer = { at: this.time + ms, run };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /** Runs the timers of the next `ms` in their order, each with the microtasks that follow from it. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      const due = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.timers = this.timers.filter((timer) => timer !== due);
      this.time = due.at;
      due.run();
      await settle();
    }
    this.time = end;
  }
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** The members of one channel, which expire; it fails while `isAway`, and answers no `keep` while one is `held`. */
class MemoryStore implements PresenceStore {
  readonly calls = { keep: 0, remove: 0, list: 0 };
  isAway = false;
  held: Promise<void> | undefined;
  private readonly clock: Clock;
  private readonly members = new Map<string, number>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get users(): string[] {
    return [...this.members].filter(([, expiresAt]) => expiresAt > this.clock.now()).map(([user]) => user);
  }

  /** A user of another node, present for an hour. */
  addRemote(...users: string[]): void {
    for (const user of users) this.members.set(user, this.clock.now() + 3_600_000);
  }

  removeRemote(user: string): void {
    this.members.delete(user);
  }

  async keep(_channel: string, users: readonly string[], ttlMs: number): Promise<void> {
    this.calls.keep++;
    await this.held;
    this.requireAvailable();
    for (const user of users) this.members.set(user, this.clock.now() + ttlMs);
  }

  async remove(_channel: string, user: string): Promise<void> {
    this.calls.remove++;
    this.requireAvailable();
    this.members.delete(user);
  }

  async list(): Promise<string[]> {
    this.calls.list++;
    this.requireAvailable();
    return this.users;
  }

  private requireAvailable(): void {
    if (this.isAway) throw new Error('The store is away.');
  }
}

/** A listener, and what it got. */
function recorder() {
  const got: Parameters<PresenceListener>[0][] = [];
  const listener: PresenceListener = (change) => void got.push(change);
  return { listener, got };
}

function setUp() {
  const clock = new ManualClock();
  const store = new MemoryStore(clock);
  let announced = 0;
  const room = new PresenceRoom('c', { store, clock, ttlMs: TTL_MS, announce: () => void announced++ });
  return { clock, store, room, announced: () => announced };
}

describe('the members', () => {
  test('a listener gets the users of all nodes first, and then the changes', async () => {
    const { clock, store, room } = setUp();
    store.addRemote('ben');
    const ann = recorder();
    await room.join('ann', ann.listener);
    expect(ann.got).toEqual([{ users: ['ben', 'ann'] }]);
    store.addRemote('cat');
    store.removeRemote('ben');
    room.changed();
    await clock.advance(SOON_MS);
    expect(ann.got.slice(1)).toEqual([{ joined: ['cat'], left: ['ben'] }]);
  });

  test('a user with two connections is one member until both have left', async () => {
    const { clock, store, room, announced } = setUp();
    const [first, second, other] = [recorder(), recorder(), recorder()];
    await room.join('ben', other.listener);
    await room.join('ann', first.listener);
    await room.join('ann', second.listener);
    expect(second.got).toEqual([{ users: ['ben', 'ann'] }]);
    await clock.advance(SOON_MS);
    const before = announced();
    room.leave('ann', first.listener);
    await clock.advance(SOON_MS);
    expect([store.users, store.calls.remove, announced()]).toEqual([['ben', 'ann'], 0, before]);
    room.leave('ann', second.listener);
    await clock.advance(SOON_MS);
    expect([store.users, store.calls.remove, announced()]).toEqual([['ben'], 1, before + 1]);
    expect(other.got).toEqual([{ users: ['ben'] }, { joined: ['ann'], left: [] }, { joined: [], left: ['ann'] }]);
  });

  test('the leave of a listener that has left, or never joined, changes nothing', async () => {
    const { clock, store, room, announced } = setUp();
    const [ann, stranger] = [recorder(), recorder()];
    await room.join('ann', ann.listener);
    room.leave('ann', stranger.listener);
    expect([room.isEmpty, store.calls.remove]).toEqual([false, 0]);
    room.leave('ann', ann.listener);
    room.leave('ann', ann.listener);
    await clock.advance(SOON_MS);
    expect([room.isEmpty, store.calls.remove, announced()]).toEqual([true, 1, 2]);
  });

  test('a listener that leaves before the store has answered gets nothing', async () => {
    const { clock, store, room } = setUp();
    let release = () => {};
    store.held = new Promise((resolve) => {
      release = resolve;
    });
    const ann = recorder();
    const joining = room.join('ann', ann.listener);
    room.leave('ann', ann.listener);
    release();
    await joining;
    await clock.advance(SOON_MS);
    expect([ann.got, room.isEmpty]).toEqual([[], true]);
  });

  test('an empty room leaves no timer and does not touch the store again', async () => {
    const { clock, store, room } = setUp();
    const ann = recorder();
    await room.join('ann', ann.listener);
    room.leave('ann', ann.listener);
    await clock.advance(SOON_MS);
    const calls = { ...store.calls };
    await clock.advance(10 * TTL_MS);
    expect([clock.pending, store.calls, ann.got]).toEqual([0, calls, [{ users: ['ann'] }]]);
  });

  test('members stay in the store although every second refresh fails', async () => {
    const { clock, store, room } = setUp();
    await room.join('ann', recorder().listener);
    for (let refreshes = 0; refreshes < 10; refreshes++) {
      store.isAway = refreshes % 2 === 0;
      for (const before = store.calls.keep; store.calls.keep === before; ) {
        await clock.advance(100);
        expect(store.users).toEqual(['ann']);
      }
    }
  });
});

describe('changes', () => {
  test('that follow each other closely cost one read of the store and one report', async () => {
    const { clock, store, room } = setUp();
    const ann = recorder();
    await room.join('ann', ann.listener);
    await clock.advance(SOON_MS);
    const before = store.calls.list;
    for (const user of ['ben', 'cat', 'dan']) {
      store.addRemote(user);
      room.changed();
    }
    await clock.advance(90);
    expect([store.calls.list - before, ann.got.length]).toEqual([0, 1]);
    await clock.advance(SOON_MS);
    expect(ann.got.slice(1)).toEqual([{ joined: ['ben', 'cat', 'dan'], left: [] }]);
    // The second read is for the changes that were reported while the first was due; it finds nothing new.
    expect(store.calls.list - before).toBe(2);
  });

  test('without an effect are not reported', async () => {
    const { clock, store, room } = setUp();
    const ann = recorder();
    await room.join('ann', ann.listener);
    store.addRemote('ben');
    store.removeRemote('ben');
    room.changed();
    await clock.advance(SOON_MS);
    expect(ann.got).toEqual([{ users: ['ann'] }]);
  });

  test('of other nodes are found without a hint, at the next refresh', async () => {
    const { clock, store, room } = setUp();
    const ann = recorder();
    await room.join('ann', ann.listener);
    await clock.advance(SOON_MS);
    store.addRemote('ben');
    await clock.advance(SOON_MS);
    expect(ann.got).toHaveLength(1);
    await clock.advance(TTL_MS / 2);
    expect(ann.got.slice(1)).toEqual([{ joined: ['ben'], left: [] }]);
  });

  test('name at most 1,000 users in one frame', async () => {
    const { clock, store, room } = setUp();
    const ann = recorder();
    const users = (prefix: string) => Array.from({ length: 1_001 }, (_, i) => `${prefix}${i}`);
    store.addRemote(...users('a'));
    await room.join('ann', ann.listener);
    store.addRemote(...users('b'));
    for (const user of users('a')) store.removeRemote(user);
    room.changed();
    await clock.advance(SOON_MS);
    const sizes = ann.got.map((change) => [change.users, change.joined, change.left].map((list) => list?.length));
    expect(sizes).toEqual([
      [1_000, undefined, undefined],
      [undefined, 1_000, 1_000],
    ]);
  });
});

describe('while the store is away', () => {
  test('a join is answered with the users of this node, marked as partial, and completed afterwards', async () => {
    const { clock, store, room } = setUp();
    store.addRemote('ben');
    store.isAway = true;
    const ann = recorder();
    await room.join('ann', ann.listener);
    await clock.advance(SOON_MS);
    expect(ann.got).toEqual([{ users: ['ann'], partial: true }]);
    store.isAway = false;
    await clock.advance(TTL_MS / 2);
    expect(ann.got.slice(1)).toEqual([{ joined: ['ben'], left: [] }]);
    expect(store.users).toEqual(['ben', 'ann']);
  });

  test('no user of another node is reported as gone; joins on this node are reported as partial', async () => {
    const { clock, store, room } = setUp();
    store.addRemote('ben');
    const ann = recorder();
    await room.join('ann', ann.listener);
    store.isAway = true;
    await clock.advance(TTL_MS / 2);
    expect(ann.got).toEqual([{ users: ['ben', 'ann'] }]);
    await room.join('cat', recorder().listener);
    await clock.advance(SOON_MS);
    expect(ann.got.slice(1)).toEqual([{ joined: ['cat'], left: [], partial: true }]);
  });

  test('a leave does not fail, and its user is reported as gone once the store is back and the member has expired', async () => {
    const { clock, store, room } = setUp();
    const [ann, ben] = [recorder(), recorder()];
    await room.join('ann', ann.listener);
    await room.join('ben', ben.listener);
    await clock.advance(SOON_MS);
    store.isAway = true;
    room.leave('ben', ben.listener);
    await clock.advance(TTL_MS / 2);
    expect(ann.got.slice(1)).toEqual([{ joined: ['ben'], left: [] }]);
    store.isAway = false;
    await clock.advance(TTL_MS * 1.5);
    expect(ann.got.slice(2)).toEqual([{ joined: [], left: ['ben'] }]);
  });
});

describe('races and outages', () => {
  test('a listener gets the users before changes although a check runs while it joins', async () => {
    const { clock, store, room } = setUp();
    const [ann, cat] = [recorder(), recorder()];
    await room.join('ann', ann.listener);
    await clock.advance(SOON_MS);
    store.addRemote('ben');
    room.changed();
    let release = () => {};
    store.held = new Promise((resolve) => {
      release = resolve;
    });
    const joining = room.join('cat', cat.listener);
    await clock.advance(SOON_MS);
    release();
    await joining;
    expect(Object.keys(cat.got[0] ?? {})).toContain('users');
  });

  test('a listener that joins during an outage learns of the users of other nodes', async () => {
    const { clock, store, room } = setUp();
    const [ann, cat] = [recorder(), recorder()];
    store.addRemote('ben');
    await room.join('ann', ann.listener);
    store.isAway = true;
    await room.join('cat', cat.listener);
    await clock.advance(SOON_MS);
    store.isAway = false;
    await clock.advance(TTL_MS);
    expect(present(cat.got)).toEqual(['ann', 'ben', 'cat']);
  });

  test('no user of this node is reported as gone after an outage', async () => {
    const { clock, store, room } = setUp();
    const ann = recorder();
    await room.join('ann', ann.listener);
    await clock.advance(SOON_MS);
    store.removeRemote('ann');
    room.changed();
    await clock.advance(SOON_MS);
    expect(present(ann.got)).toEqual(['ann']);
  });

  test('a user that left between the list of a listener and the next check is gone', async () => {
    const { clock, store, room } = setUp();
    const [ann, cat] = [recorder(), recorder()];
    await room.join('ann', ann.listener);
    await clock.advance(SOON_MS);
    store.addRemote('ben');
    await room.join('cat', cat.listener);
    store.removeRemote('ben');
    await clock.advance(SOON_MS);
    await clock.advance(TTL_MS);
    expect(present(cat.got)).toEqual(['ann', 'cat']);
  });
});

/** The present users, as a client computes them. */
function present(got: readonly Parameters<PresenceListener>[0][]): string[] {
  const users = new Set<string>();
  for (const change of got) {
    for (const user of [...(change.users ?? []), ...(change.joined ?? [])]) users.add(user);
    for (const user of change.left ?? []) users.delete(user);
  }
  return [...users].sort();
}
