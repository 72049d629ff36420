/**
 * A lane: batches what is appended and has one batch in flight. What is queued meanwhile waits for the next batch, which has at most
 * `batchMax` messages. There is no timer: the commit sets the pace. Never looks into a message beyond its size.
 *
 * A channel always uses the same lane, so the order in which a node accepted its messages is their order in the history.
 */
import { AppError } from '../errors.ts';
import type { Appended, NewMessage } from './types.ts';

export interface LaneOptions {
  /** Most messages per batch. */
  readonly batchMax: number;
  /** Most messages that wait; beyond it `append` rejects with `overloaded`. */
  readonly queueMax: number;
  /**
   * Commits a batch; resolves to the place of each message, in order. Rejects when the outcome is a failure or unknown.
   * `queuedSeconds`: how long the oldest message of the batch waited.
   */
  readonly commit: (messages: readonly NewMessage[], queuedSeconds: number) => Promise<readonly Appended[]>;
}

interface Waiting {
  readonly message: NewMessage;
  /** `performance.now()` milliseconds. */
  readonly since: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

/** Most characters of `data` per batch, unless a single message has more. */
const BATCH_CHARACTERS_MAX = 4_000_000;

export class Lane {
  private readonly options: LaneOptions;
  private queue: Waiting[] = [];
  private busy = false;

  constructor(options: LaneOptions) {
    this.options = options;
  }

  /** Messages that wait, not counting the batch in flight. */
  get depth(): number {
    return this.queue.length;
  }

  append(message: NewMessage): Promise<Appended> {
    if (this.queue.length >= this.options.queueMax) {
      const text = 'Too many messages wait for their commit on this node; retry.';
      return Promise.reject(new AppError('overloaded', text, { retryAfterMs: 1_000 }));
    }
    return new Promise((resolve, reject) => {
      this.queue.push({ message, since: performance.now(), resolve, reject });
      if (this.busy) return;
      this.busy = true;
      // At the end of the event-loop turn, so that messages of the same turn commit together.
      setImmediate(() => void this.run());
    });
  }

  private async run(): Promise<void> {
    while (this.queue.length > 0) await this.commit(this.takeBatch());
    this.busy = false;
  }

  private takeBatch(): Waiting[] {
    let size = 0;
    let characters = 0;
    while (size < this.queue.length && size < this.options.batchMax) {
      characters += (this.queue[size] as Waiting).message.data.length;
      if (size > 0 && characters > BATCH_CHARACTERS_MAX) break;
      size++;
    }
    const batch = this.queue.slice(0, size);
    this.queue = this.queue.slice(size);
    return batch;
  }

  private async commit(batch: readonly Waiting[]): Promise<void> {
    const queuedSeconds = (performance.now() - (batch[0] as Waiting).since) / 1000;
    try {
      const messages = batch.map((waiting) => waiting.message);
      const appended = await this.options.commit(messages, queuedSeconds);
      for (const [i, waiting] of batch.entries()) waiting.resolve(appended[i] as Appended);
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    }
  }
}
