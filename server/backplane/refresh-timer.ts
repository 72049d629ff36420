/**
 * Decides when the slot map of a Redis Cluster is refreshed: at an interval, and soon after a sign that it is out of date.
 * It only runs the timer; the owner refreshes, and reports when a refresh begins and how it ended.
 */
import { DoublingDelay } from './doubling-delay.ts';

/**
 * Delay before a requested refresh, so that one refresh serves many requests. It doubles while refreshes find no change.
 * Milliseconds.
 */
const SOON_MIN_MS = 50;
const SOON_MAX_MS = 1_000;

export type RefreshResult = 'changed' | 'unchanged' | 'failed';

export class RefreshTimer {
  private readonly refresh: () => void;
  private readonly soon = new DoublingDelay(SOON_MIN_MS, SOON_MAX_MS);
  private timer: NodeJS.Timeout | undefined;
  private dueAt = Number.POSITIVE_INFINITY;
  private isRunning = false;
  private isStopped = false;
  /** A refresh was requested since the last one began. */
  private isRequested = false;
  /** The refresh that is running, or ran last, was requested. */
  private wasRequested = false;

  constructor(refresh: () => void) {
    this.refresh = refresh;
  }

  /** A request during a refresh leads to another one, because the running one may have read the old map. */
  request(): void {
    this.isRequested = true;
    if (!this.isRunning) this.schedule(this.soon.ms);
  }

  begin(): void {
    this.isRunning = true;
    this.wasRequested = this.isRequested;
    this.isRequested = false;
    clearTimeout(this.timer);
    this.dueAt = Number.POSITIVE_INFINITY;
  }

  /** `intervalMs`: delay before the next refresh, unless one is requested earlier. */
  end(result: RefreshResult, intervalMs: number): void {
    this.isRunning = false;
    if (result === 'failed' || (result === 'unchanged' && this.wasRequested)) this.soon.double();
    else this.soon.reset();
    this.schedule(this.isRequested ? this.soon.ms : intervalMs);
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
  }

  /** Never postpones a scheduled refresh: requests may arrive faster than refreshes end. */
  private schedule(ms: number): void {
    const dueAt = performance.now() + ms;
    if (this.isStopped || this.dueAt <= dueAt) return;
    clearTimeout(this.timer);
    this.dueAt = dueAt;
    this.timer = setTimeout(this.refresh, ms).unref();
  }
}
