/**
 * Polls the history for commits that were not announced: a node may die between COMMIT and PUBLISH, and Redis may lose a
 * message. While the backplane is down, this poll is what delivers messages of other nodes. Only reports; never reads messages.
 */
import type { ChannelTop, HistoryReader, Tops } from '../history/types.ts';
import type { Clock } from './clock.ts';

export interface HistoryPollOptions {
  readonly history: HistoryReader;
  readonly clock: Clock;
  /** Milliseconds until the next poll, evaluated before each. */
  readonly intervalMs: () => number;
  /** Channels that this node follows, with what their tails hold now; undefined: not open yet. */
  readonly channels: () => ReadonlyMap<string, ChannelTop | undefined>;
  readonly onTops: (tops: Tops) => void;
  /** The history ends before messages of this epoch that a tail holds. */
  readonly onRegression: (epoch: string) => void;
  readonly onError: (message: string, error: unknown) => void;
}

/** Half of the 10 minutes that rows of `commits` are kept (`history/maintenance.ts`). With an older poll cursor, exact tops are read. */
const CURSOR_MAX_AGE_MS = 300_000;
/** Channels per exact statement. */
const CHUNK = 1_000;

export class HistoryPoll {
  private readonly options: HistoryPollOptions;
  /** The poll cursor: the transaction id from which the next poll reads. */
  private cursor: string | null = null;
  private epoch = '';
  private cursorAt = Number.NEGATIVE_INFINITY;
  private checking: Promise<void> | undefined;
  private again = false;
  private cancel: () => void = () => {};
  private stopped = false;

  constructor(options: HistoryPollOptions) {
    this.options = options;
  }

  /** Polls once, so that there is a poll cursor before the first channel is opened; after that at intervals. */
  async start(): Promise<void> {
    await this.check();
  }

  /** Polls now; if a poll is in flight, once more after it. */
  checkNow(): void {
    if (this.checking) this.again = true;
    else void this.check();
  }

  /** Polls now and reads the exact tops of every channel: the database may have been restored. */
  checkExactlyNow(): void {
    this.cursorAt = Number.NEGATIVE_INFINITY;
    this.checkNow();
  }

  stop(): void {
    this.stopped = true;
    this.cancel();
  }

  private check(): Promise<void> {
    this.cancel();
    this.checking = this.poll()
      .catch((error: unknown) => this.options.onError('The history could not be checked for new messages.', error))
      .finally(() => {
        this.checking = undefined;
        if (!this.stopped) this.schedule();
      });
    return this.checking;
  }

  private schedule(): void {
    // Jitter, so that the nodes of a cluster do not poll in step.
    const delay = this.again ? 0 : this.options.intervalMs() * (0.75 + Math.random() / 2);
    this.again = false;
    this.cancel = this.options.clock.later(delay, () => void this.check());
  }

  private async poll(): Promise<void> {
    const { history, clock, onTops } = this.options;
    const now = clock.now();
    const stale = now - this.cursorAt > CURSOR_MAX_AGE_MS;
    const recent = await history.topsSince(stale ? null : this.cursor);
    // In another epoch the old poll cursor may lie in the future: a restored database continues from the transaction id of the backup.
    if (stale || recent.epoch !== this.epoch || this.wentBack(recent.cursor)) await this.pollExactly();
    this.epoch = recent.epoch;
    this.cursor = recent.cursor;
    // An exact poll was requested during this one: leave the poll cursor stale.
    if (!(this.again && this.cursorAt === Number.NEGATIVE_INFINITY)) this.cursorAt = now;
    onTops(recent);
  }

  /** A poll cursor goes back after a restore, and after a crash by a few transactions that stored nothing. */
  private wentBack(cursor: string): boolean {
    return this.cursor !== null && BigInt(cursor) < BigInt(this.cursor);
  }

  private async pollExactly(): Promise<void> {
    const { channels, history, onTops, onRegression } = this.options;
    const names = [...channels().keys()];
    for (let i = 0; i < names.length; i += CHUNK) {
      const chunk = names.slice(i, i + CHUNK);
      // Taken before the read: during it, a tail may get messages that are newer than the read.
      const held = channels();
      const exact = await history.tops(chunk);
      onTops(exact);
      if (chunk.some((name) => isBehind(exact, name, held.get(name)))) onRegression(exact.epoch);
    }
  }
}

function isBehind({ epoch, tops }: Tops, name: string, held: ChannelTop | undefined): boolean {
  return held !== undefined && held.epoch === epoch && (tops.get(name) ?? 0) < held.top;
}
