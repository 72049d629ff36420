/**
 * Who is in a channel, across nodes. Members are kept in a store with a time to live and refreshed from here; watchers
 * get differences between two looks at it. Looks happen at intervals, and soon after somebody says that something changed.
 * So it converges whatever is lost: a hint, a node, Redis for a while.
 */
import type { PresenceStore } from '../backplane/types.ts';
import type { Clock } from './clock.ts';
import type { PresenceListener } from './types.ts';

export interface PresenceOptions {
  readonly store: PresenceStore;
  readonly clock: Clock;
  readonly ttlMs: number;
  readonly announce: (channel: string) => void;
}

interface Room {
  /** Local members; a user with several connections is one member. */
  readonly listeners: Map<PresenceListener, string>;
  known: Set<string>;
  looking: boolean;
  lookAgain: boolean;
  cancelRefresh: () => void;
}

/** Changes within this time are reported together. Milliseconds. */
const GATHER_MS = 100;
/** Users named in a presence frame at most; the count of a larger room is of more use than its names. */
const USERS_MAX = 1_000;

export class PresenceHub {
  private readonly options: PresenceOptions;
  private readonly rooms = new Map<string, Room>();

  constructor(options: PresenceOptions) {
    this.options = options;
  }

  /** Makes `user` present in `channel` until the result is called; `listener` first gets everybody, then changes. */
  async join(channel: string, user: string, listener: PresenceListener): Promise<() => void> {
    const room = this.roomOf(channel);
    room.listeners.set(listener, user);
    let partial = false;
    try {
      await this.options.store.keep(channel, [user], this.options.ttlMs);
      this.options.announce(channel);
    } catch {
      partial = true;
    }
    const users = partial ? this.localUsers(room) : await this.list(channel).catch(() => this.localUsers(room));
    if (room.listeners.has(listener)) listener({ users: users.slice(0, USERS_MAX), ...(partial && { partial }) });
    // The first in the room: what it was told is what is known. Later ones share what the others know already.
    if (room.listeners.size === 1) room.known = new Set(users);
    this.changed(channel);
    return () => this.leave(channel, user, listener);
  }

  /** Something changed here or on another node: look soon. */
  changed(channel: string): void {
    const room = this.rooms.get(channel);
    if (!room) return;
    if (room.looking) {
      room.lookAgain = true;
      return;
    }
    room.looking = true;
    this.options.clock.later(GATHER_MS, () => void this.look(channel, room));
  }

  private leave(channel: string, user: string, listener: PresenceListener): void {
    const room = this.rooms.get(channel);
    if (!room?.listeners.delete(listener)) return;
    const gone = ![...room.listeners.values()].includes(user);
    if (room.listeners.size === 0) {
      room.cancelRefresh();
      this.rooms.delete(channel);
    }
    if (!gone) return;
    this.options.store.remove(channel, user).then(
      () => this.options.announce(channel),
      () => {
        /* Away: the member runs out by itself. */
      },
    );
    this.changed(channel);
  }

  private roomOf(channel: string): Room {
    const existing = this.rooms.get(channel);
    if (existing) return existing;
    const room: Room = {
      listeners: new Map(),
      known: new Set(),
      looking: false,
      lookAgain: false,
      cancelRefresh: () => {},
    };
    this.rooms.set(channel, room);
    this.scheduleRefresh(channel, room);
    return room;
  }

  /** Three refreshes fit in the time to live, so that one may fail. */
  private scheduleRefresh(channel: string, room: Room): void {
    const delay = (this.options.ttlMs / 3) * (0.8 + Math.random() * 0.2);
    room.cancelRefresh = this.options.clock.later(delay, () => {
      this.options.store.keep(channel, this.localUsers(room), this.options.ttlMs).catch(() => {
        /* Away: the next refresh makes them members again. */
      });
      this.changed(channel);
      this.scheduleRefresh(channel, room);
    });
  }

  private async look(channel: string, room: Room): Promise<void> {
    try {
      this.report(room, new Set(await this.list(channel)), false);
    } catch {
      // Without the store only this node's users are known; saying that the others left would be a guess.
      this.report(room, new Set([...room.known, ...this.localUsers(room)]), true);
    }
    room.looking = false;
    if (room.lookAgain) {
      room.lookAgain = false;
      this.changed(channel);
    }
  }

  private report(room: Room, users: Set<string>, partial: boolean): void {
    const joined = [...users].filter((user) => !room.known.has(user)).slice(0, USERS_MAX);
    const left = [...room.known].filter((user) => !users.has(user)).slice(0, USERS_MAX);
    room.known = users;
    if (joined.length === 0 && left.length === 0) return;
    for (const listener of room.listeners.keys()) listener({ joined, left, ...(partial && { partial }) });
  }

  private list(channel: string): Promise<string[]> {
    return this.options.store.list(channel);
  }

  private localUsers(room: Room): string[] {
    return [...new Set(room.listeners.values())];
  }
}
