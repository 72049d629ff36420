/**
 * Loads exact tops, many with one statement: one statement is in flight, and channels requested meanwhile go in the
 * next. 10,000 channels that are opened at once need ten statements, one after the other, on one connection.
 *
 * Loads of the same channel resolve in the order of their calls. `tail-follower.ts` relies on it: an older position
 * must not replace a newer one.
 */
import type { ChannelTop, EpochQuery, HistoryReader } from '../history/types.ts';
import type { Clock } from './clock.ts';

/** Channels per statement. */
const CHUNK = 1_000;

/** A channel's top, and up to which offset positions of the epoch `of` are valid in the current `epoch`. */
export interface LoadedTop extends ChannelTop {
  readonly of: string;
  readonly end: number;
}

interface Waiter {
  readonly resolve: (top: LoadedTop) => void;
  readonly reject: (error: unknown) => void;
}

interface Request {
  readonly query: EpochQuery;
  readonly callers: Waiter[];
}

export class TopsLoader {
  private readonly history: HistoryReader;
  private readonly clock: Clock;
  /** By epoch and channel. */
  private readonly waiting = new Map<string, Request>();
  private busy = false;

  constructor(history: HistoryReader, clock: Clock) {
    this.history = history;
    this.clock = clock;
  }

  /**
   * The channel's top, and where the epoch `of` ends in it, by a read that begins after this call.
   * @throws AppError `unavailable`
   */
  load(channel: string, of: string): Promise<LoadedTop> {
    return new Promise((resolve, reject) => {
      const key = `${of} ${channel}`;
      const same = this.waiting.get(key);
      if (same) same.callers.push({ resolve, reject });
      else this.waiting.set(key, { query: { channel, epoch: of }, callers: [{ resolve, reject }] });
      if (this.busy) return;
      this.busy = true;
      this.clock.soon(() => void this.run());
    });
  }

  private async run(): Promise<void> {
    while (this.waiting.size > 0) await this.read(this.takeChunk());
    this.busy = false;
  }

  private takeChunk() {
    const keys = [...this.waiting.keys()].slice(0, CHUNK);
    return keys.map((key) => {
      const request = this.waiting.get(key) as Request;
      this.waiting.delete(key);
      return request;
    });
  }

  private async read(chunk: readonly Request[]): Promise<void> {
    try {
      const { epoch, ends } = await this.history.epochEnds(chunk.map(({ query }) => query));
      chunk.forEach(({ query, callers }, i) => {
        const { top = 0, end = 0 } = ends[i] ?? {};
        for (const { resolve } of callers) resolve({ epoch, top, of: query.epoch, end });
      });
    } catch (error) {
      for (const { callers } of chunk) for (const { reject } of callers) reject(error);
    }
  }
}
