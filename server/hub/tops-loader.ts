/** Exact tops of single channels, asked for one by one and read together: a herd that opens 10,000 channels makes a few statements. */
import type { HistoryReader } from '../history/types.ts';
import type { Clock } from './clock.ts';

/** Channels per statement. */
const CHUNK = 1_000;

export interface ChannelTop {
  readonly epoch: string;
  readonly top: number;
}

interface Waiting {
  readonly channel: string;
  readonly resolve: (top: ChannelTop) => void;
  readonly reject: (error: unknown) => void;
}

export class TopsLoader {
  private readonly history: HistoryReader;
  private readonly clock: Clock;
  private waiting: Waiting[] = [];

  constructor(history: HistoryReader, clock: Clock) {
    this.history = history;
    this.clock = clock;
  }

  /** The channel's top by a read that begins after this call. @throws AppError `unavailable` */
  load(channel: string): Promise<ChannelTop> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ channel, resolve, reject });
      if (this.waiting.length === 1) this.clock.soon(() => this.send());
    });
  }

  private send(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (let i = 0; i < waiting.length; i += CHUNK) void this.read(waiting.slice(i, i + CHUNK));
  }

  private async read(chunk: readonly Waiting[]): Promise<void> {
    try {
      const { epoch, tops } = await this.history.tops([...new Set(chunk.map((entry) => entry.channel))]);
      for (const entry of chunk) entry.resolve({ epoch, top: tops.get(entry.channel) ?? 0 });
    } catch (error) {
      for (const entry of chunk) entry.reject(error);
    }
  }
}
