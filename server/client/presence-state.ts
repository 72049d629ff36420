/**
 * Who is present in one channel: keeps the list, so that applications need not. Pure. Never asks for presence itself.
 */
import type { Presence } from '../protocol/messages.ts';
import type { PresenceEvent } from './types.ts';

export class PresenceState {
  #users = new Set<string>();

  /** Applies a push, and says what it changed. A full list replaces what was known, as after a reconnect. */
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
