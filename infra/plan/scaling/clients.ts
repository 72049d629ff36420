/**
 * In the simulation: the clients that are not connected, counted by the time at which they try again. Follows the
 * backoff of the client SDK: full jitter over 1 s, doubled per attempt up to 30 s. Pure.
 */
const BACKOFF_FIRST_S = 1;
const BACKOFF_MAX_S = 30;
const ATTEMPTS_KNOWN = Math.ceil(Math.log2(BACKOFF_MAX_S / BACKOFF_FIRST_S)) + 1;

export class WaitingClients {
  /** Length of a step, seconds. */
  private readonly stepSeconds: number;
  /** Step -> attempts before -> number of clients that try in that step. */
  private readonly due = new Map<number, number[]>();
  private total = 0;

  constructor(stepSeconds: number) {
    this.stepSeconds = stepSeconds;
  }

  get count(): number {
    return this.total;
  }

  /** Spreads the next attempts of `count` clients evenly over `seconds`, from `step` on. */
  spread(step: number, count: number, seconds: number, attempt = 0): void {
    if (count <= 0) return;
    this.total += count;
    const steps = Math.max(1, Math.ceil(seconds / this.stepSeconds));
    for (let i = 0; i < steps; i++) {
      const attempts = this.due.get(step + i) ?? [];
      attempts[attempt] = (attempts[attempt] ?? 0) + count / steps;
      this.due.set(step + i, attempts);
    }
  }

  /** Schedules the next attempt of `count` clients that were refused at `step`, with a longer backoff each time. */
  refuse(step: number, count: number, attempt: number): void {
    const next = Math.min(attempt + 1, ATTEMPTS_KNOWN);
    this.spread(step + 1, count, Math.min(BACKOFF_FIRST_S * 2 ** attempt, BACKOFF_MAX_S), next);
  }

  /** Removes and returns the clients that try in this step, counted by the number of attempts before. */
  take(step: number): readonly (readonly [attempt: number, count: number])[] {
    const attempts = this.due.get(step) ?? [];
    this.due.delete(step);
    const trying = attempts.flatMap((count, attempt) => (count > 0 ? [[attempt, count] as const] : []));
    this.total -= trying.reduce((sum, [, count]) => sum + count, 0);
    return trying;
  }

  /** Removes `count` clients that give up, evenly from all steps. */
  remove(count: number): void {
    const share = this.total > 0 ? 1 - Math.min(count, this.total) / this.total : 1;
    for (const attempts of this.due.values())
      for (let i = 0; i < attempts.length; i++) attempts[i] = (attempts[i] ?? 0) * share;
    this.total *= share;
  }
}
