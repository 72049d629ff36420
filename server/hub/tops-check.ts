/**
 * The check for commits that nobody announced: a node may die between COMMIT and PUBLISH, and Redis may lose what it is
 * given. Every few seconds while the backplane is up, several times a second while it is not: then it is the delivery.
 */
import type { HistoryReader, Tops } from '../history/types.ts';
import type { Clock } from './clock.ts';

export interface TopsCheckOptions {
  readonly history: HistoryReader;
  readonly clock: Clock;
  /** Milliseconds until the next check, asked each time. */
  readonly intervalMs: () => number;
  /** Channels this node follows. */
  readonly channels: () => string[];
  readonly onTops: (tops: Tops) => void;
  readonly onError: (message: string, error: unknown) => void;
}

/** The history keeps its list of commits for 10 minutes; with half of that gone, ask for exact tops instead. */
const CURSOR_MAX_AGE_MS = 300_000;
/** Channels per exact statement. */
const CHUNK = 1_000;

export class TopsCheck {
  private readonly options: TopsCheckOptions;
  private cursor: string | null = null;
  private epoch = '';
  private cursorAt = Number.NEGATIVE_INFINITY;
  private checking: Promise<void> | undefined;
  private again = false;
  private cancel: () => void = () => {};
  private stopped = false;

  constructor(options: TopsCheckOptions) {
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
    if (stale || recent.epoch !== this.epoch) await this.lookExactly();
    this.epoch = recent.epoch;
    this.cursor = recent.cursor;
    this.cursorAt = now;
    onTops(recent);
  }

  private async lookExactly(): Promise<void> {
    const channels = this.options.channels();
    for (let i = 0; i < channels.length; i += CHUNK) {
      this.options.onTops(await this.options.history.tops(channels.slice(i, i + CHUNK)));
    }
  }
}
