/** The channels whose presence this node follows. What happens within a channel is in `presence-room.ts`. */
import { type PresenceOptions, PresenceRoom } from './presence-room.ts';
import type { PresenceListener } from './types.ts';

export class PresenceHub {
  private readonly options: PresenceOptions;
  private readonly rooms = new Map<string, PresenceRoom>();

  constructor(options: PresenceOptions) {
    this.options = options;
  }

  /** Makes `user` present in `channel` until the result is called; `listener` first gets the list of users, then changes. */
  async join(channel: string, user: string, listener: PresenceListener): Promise<() => void> {
    const room = this.rooms.get(channel) ?? new PresenceRoom(channel, this.options);
    this.rooms.set(channel, room);
    await room.join(user, listener);
    return () => {
      room.leave(user, listener);
      if (room.isEmpty && this.rooms.get(channel) === room) this.rooms.delete(channel);
    };
  }

  /** The presence of `channel` changed on another node. */
  changed(channel: string): void {
    this.rooms.get(channel)?.changed();
  }
}
