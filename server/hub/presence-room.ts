/**
 * Presence of one channel on this node: refreshes its own members in the store before they expire, compares the
 * store with what was last reported, and sends the difference to the listeners. Converges after a lost hint, a dead
 * node or an outage of Redis, because it compares at intervals too.
 */
import type { PresenceStore } from '../backplane/types.ts';
import type { Clock } from './clock.ts';
import type { PresenceListener } from './types.ts';

export interface PresenceOptions {
  readonly store: PresenceStore;
  readonly clock: Clock;
  /** How long a member stays in the store without a refresh, milliseconds. */
  readonly ttlMs: number;
  /** Sends a hint to the other nodes that the presence of the channel has changed. */
  readonly announce: (channel: string) => void;
}

/** Changes within this time are reported together. Milliseconds. */
const GATHER_MS = 100;
/** Most users named in one presence frame. */
const USERS_MAX = 1_000;

export class PresenceRoom {
  private readonly channel: string;
  private readonly options: PresenceOptions;
  /** A user with several connections has several listeners and is one member. */
  private readonly users = new Map<PresenceListener, string>();
  /** Listeners that got the list of users, and so get the changes since. */
  private readonly answered = new Set<PresenceListener>();
  /** The users that every answered listener knows of, apart from its own. */
  private reported: ReadonlySet<string> = new Set();
  private checking = false;
  private checkAgain = false;
  private cancelRefresh: () => void = () => {};

  constructor(channel: string, options: PresenceOptions) {
    this.channel = channel;
    this.options = options;
    this.scheduleRefresh();
  }

  get isEmpty(): boolean {
    return this.users.size === 0;
  }

  /** Resolves after `listener` got the list of users. */
  async join(user: string, listener: PresenceListener): Promise<void> {
    this.users.set(listener, user);
    const { users, partial } = await this.enter(user);
    if (this.users.has(listener)) {
      // A later listener gets what was reported to the earlier ones, because the next changes are relative to that.
      if (this.answered.size === 0) this.reported = new Set(users);
      this.answered.add(listener);
      const known = [...new Set([...this.reported, user])];
      listener({ users: known.slice(0, USERS_MAX), ...(partial && { partial }) });
    }
    this.changed();
  }

  /** No effect when `listener` has left already. */
  leave(user: string, listener: PresenceListener): void {
    if (!this.users.delete(listener)) return;
    this.answered.delete(listener);
    if (this.isEmpty) this.cancelRefresh();
    if (this.localUsers().includes(user)) return;
    this.options.store.remove(this.channel, user).then(
      () => this.options.announce(this.channel),
      () => {
        /* The store is away: the member expires. */
      },
    );
    if (!this.isEmpty) this.changed();
  }

  /** The presence changed on this node or another: compares soon. */
  changed(): void {
    if (this.checking) {
      this.checkAgain = true;
      return;
    }
    this.checking = true;
    this.options.clock.later(GATHER_MS, () => void this.check());
  }

  private async enter(user: string): Promise<{ readonly users: readonly string[]; readonly partial: boolean }> {
    const { store, ttlMs, announce } = this.options;
    try {
      await store.keep(this.channel, [user], ttlMs);
      announce(this.channel);
      return { users: await store.list(this.channel), partial: false };
    } catch {
      // The store is away: only the users of this node are known.
      return { users: this.localUsers(), partial: true };
    }
  }

  private async check(): Promise<void> {
    try {
      // The store lacks users of this node after an outage, until the next refresh.
      const listed = await this.options.store.list(this.channel);
      this.report(new Set([...listed, ...this.localUsers()]), false);
    } catch {
      // Users of other nodes are unknown now; to report them as gone would be a guess.
      this.report(new Set([...this.reported, ...this.localUsers()]), true);
    }
    this.checking = false;
    if (!this.checkAgain) return;
    this.checkAgain = false;
    if (!this.isEmpty) this.changed();
  }

  private report(users: ReadonlySet<string>, partial: boolean): void {
    const joined = without(users, this.reported);
    const left = without(this.reported, users);
    this.reported = users;
    if (joined.length === 0 && left.length === 0) return;
    for (const listener of this.answered) listener({ joined, left, ...(partial && { partial }) });
  }

  /** Three refreshes fit in the time to live, so that one may fail. */
  private scheduleRefresh(): void {
    const { store, clock, ttlMs } = this.options;
    const delay = (ttlMs / 3) * (0.8 + Math.random() * 0.2);
    this.cancelRefresh = clock.later(delay, () => {
      store.keep(this.channel, this.localUsers(), ttlMs).catch(() => {
        /* The store is away: the next refresh adds the members again. */
      });
      this.changed();
      this.scheduleRefresh();
    });
  }

  private localUsers(): string[] {
    return [...new Set(this.users.values())];
  }
}

function without(users: ReadonlySet<string>, others: ReadonlySet<string>): string[] {
  return [...users].filter((user) => !others.has(user)).slice(0, USERS_MAX);
}
