/**
 * Runs `subscribe`, `unsubscribe` and `presence` of one connection for one channel one after the other, so a client may send them
 * without waiting for the answers. A publish waits for those before it; typing does not. Channels do not wait for each other.
 */
export class ChannelOrder {
  /** The newest unfinished task of each channel; it never rejects. */
  private readonly newest = new Map<string, Promise<void>>();

  /** Runs `task` after the unfinished tasks of `channel`. Settles as `task` does. */
  run(channel: string, task: () => Promise<void>): Promise<void> {
    const before = this.newest.get(channel);
    const work = before ? before.then(task) : task();
    const forget = () => {
      if (this.newest.get(channel) === settled) this.newest.delete(channel);
    };
    const settled: Promise<void> = work.then(forget, forget);
    this.newest.set(channel, settled);
    return work;
  }

  /** Settles with the tasks of `channel` that were started so far; undefined when there are none. */
  pending(channel: string): Promise<void> | undefined {
    return this.newest.get(channel);
  }
}
