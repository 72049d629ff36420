/** The users present in one channel, kept up to date from full lists and changes. Pure. Must never send a command. */
import type { Presence } from '../protocol/messages.ts';
import type { PresenceEvent } from './types.ts';

export class PresenceState {
  #users = new Set<string>();

  /** Applies a push and returns what changed. A full list (`users`) replaces the old list, for example after a reconnect. */
  apply(frame: Presence): PresenceEvent {
    const before = this.#users;
    const after = new Set(frame.users ?? before);
    for (const user of frame.joined ?? []) after.add(user);
    for (const user of frame.left ?? []) after.delete(user);
    this.#users = after;
    const users = [...after].sort();
    const joined = users.filter((user) => !before.has(user));
    const left = [...before].filter((user) => !after.has(user));
    return { channel: frame.channel, users, joined, left, partial: frame.partial === true };
  }
}
