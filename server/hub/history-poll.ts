/**
 * The check for commits that nobody announced: a node may die between COMMIT and PUBLISH, and Redis may lose what it is
 * given. Every few seconds while the backplane is up, several times a second while it is not: then it is the delivery.
 */
import type { HistoryReader, Tops } from '../history/types.ts';
import type { Clock } from './clock.ts';

/** Epoch of a tail, and the newest offset that it has. */
export interface TailPosition {
  readonly epoch: string;
  readonly top: number;
}

export interface HistoryPollOptions {
  readonly history: HistoryReader;
  readonly clock: Clock;
  /** Milliseconds until the next check, asked each time. */
  readonly intervalMs: () => number;
  /** Channels this node follows, with what their tails hold at this moment; undefined: not open yet. */
  readonly channels: () => ReadonlyMap<string, TailPosition | undefined>;
  readonly onTops: (tops: Tops) => void;
  /** The history ends before what a tail has got in this epoch. */
  readonly onRegression: (epoch: string) => void;
  readonly onError: (message: string, error: unknown) => void;
}

/** The history keeps its list of commits for 10 minutes; with half of that gone, ask for exact tops instead. */
const CURSOR_MAX_AGE_MS = 300_000;
/** Channels per exact statement. */
const CHUNK = 1_000;

export class HistoryPoll {
  private readonly options: HistoryPollOptions;
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

  /** Looks once, so that there is a cursor before the first channel is opened, and then at intervals. */
  async start(): Promise<void> {
    await this.check();
  }

  /** Looks now; if a look is under way, once more after it. */
  checkNow(): void {
    if (this.checking) this.again = true;
    else void this.check();
  }

  /** The same, of every channel: the history may not be what it was. */
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
    this.checking = this.look()
      .catch((error: unknown) => this.options.onError('The history could not be checked for new messages.', error))
      .finally(() => {
        this.checking = undefined;
        if (!this.stopped) this.schedule();
      });
    return this.checking;
  }

  private schedule(): void {
    // Jitter, so that the nodes of a cluster do not ask in step.
    const delay = this.again ? 0 : this.options.intervalMs() * (0.75 + Math.random() / 2);
    this.again = false;
    this.cancel = this.options.clock.later(delay, () => void this.check());
  }

  private async look(): Promise<void> {
    const { history, clock, onTops } = this.options;
    const now = clock.now();
    const stale = now - this.cursorAt > CURSOR_MAX_AGE_MS;
    const recent = await history.topsSince(stale ? null : this.cursor);
    // In another epoch the old cursor may lie in the future: a restored database counts its transactions from the backup on.
    if (stale || recent.epoch !== this.epoch || this.wentBack(recent.cursor)) await this.lookExactly();
    this.epoch = recent.epoch;
    this.cursor = recent.cursor;
    // Asked for while this look was under way: the next one is to be exact.
    if (!(this.again && this.cursorAt === Number.NEGATIVE_INFINITY)) this.cursorAt = now;
    onTops(recent);
  }

  /** Transaction ids never do, unless the database is not the one it was; or after a crash, by a few that stored nothing. */
  private wentBack(cursor: string): boolean {
    return this.cursor !== null && BigInt(cursor) < BigInt(this.cursor);
  }

  private async lookExactly(): Promise<void> {
    const { channels, history, onTops, onRegression } = this.options;
    const names = [...channels().keys()];
    for (let i = 0; i < names.length; i += CHUNK) {
      const chunk = names.slice(i, i + CHUNK);
      // Before the read: what a tail gets during it may be newer than the read.
      const held = channels();
      const exact = await history.tops(chunk);
      onTops(exact);
      if (chunk.some((name) => isBehind(exact, name, held.get(name)))) onRegression(exact.epoch);
    }
  }
}

function isBehind({ epoch, tops }: Tops, name: string, held: TailPosition | undefined): boolean {
  return held !== undefined && held.epoch === epoch && (tops.get(name) ?? 0) < held.top;
}
