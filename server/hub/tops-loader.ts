/**
 * Loads exact tops, many with one statement: one statement is in flight, and channels requested meanwhile go in the
 * next. 10,000 channels that are opened at once need ten statements, one after the other, on one connection.
 *
 * Loads of the same channel resolve in the order of their calls. `tail-follower.ts` relies on it: an older position
 * must not replace a newer one.
 */
import type { ChannelTop, HistoryReader } from '../history/types.ts';
import type { Clock } from './clock.ts';

/** Channels per statement. */
const CHUNK = 1_000;

interface Waiting {
  readonly resolve: (top: ChannelTop) => void;
  readonly reject: (error: unknown) => void;
}

export class TopsLoader {
  private readonly history: HistoryReader;
  private readonly clock: Clock;
  private waiting = new Map<string, Waiting[]>();
  private busy = false;

  constructor(history: HistoryReader, clock: Clock) {
    this.history = history;
    this.clock = clock;
  }

  /** The channel's top, by a read that begins after this call. @throws AppError `unavailable` */
  load(channel: string): Promise<ChannelTop> {
    return new Promise((resolve, reject) => {
      const others = this.waiting.get(channel);
      if (others) others.push({ resolve, reject });
      else this.waiting.set(channel, [{ resolve, reject }]);
      if (this.busy) return;
      this.busy = true;
      this.clock.soon(() => void this.run());
    });
  }

  private async run(): Promise<void> {
    while (this.waiting.size > 0) await this.read(this.takeChunk());
    this.busy = false;
  }

  private takeChunk(): Map<string, Waiting[]> {
    const chunk = new Map<string, Waiting[]>();
    for (const [channel, waiting] of this.waiting) {
      if (chunk.size >= CHUNK) break;
      chunk.set(channel, waiting);
      this.waiting.delete(channel);
    }
    return chunk;
  }

  private async read(chunk: ReadonlyMap<string, readonly Waiting[]>): Promise<void> {
    try {
      const { epoch, tops } = await this.history.tops([...chunk.keys()]);
      for (const [channel, waiting] of chunk)
        for (const { resolve } of waiting) resolve({ epoch, top: tops.get(channel) ?? 0 });
    } catch (error) {
      for (const waiting of chunk.values()) for (const { reject } of waiting) reject(error);
    }
  }
}
