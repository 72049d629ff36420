/**
 * A lane: one batch in flight, everything queued meanwhile goes in the next. No timer: the commit itself sets the pace.
 * A channel always uses the same lane, so the order in which a node accepted its messages is their order in the history.
 */
import { AppError } from '../errors.ts';
import type { AppendResult } from './append.ts';
import type { Appended, NewMessage } from './types.ts';

export interface LaneOptions {
  readonly batchMax: number;
  readonly queueMax: number;
  /** Stores a batch. Rejects when the outcome is a failure or unknown. */
  readonly store: (messages: readonly NewMessage[]) => Promise<AppendResult>;
  /** Why nothing can be stored now; undefined: it can. What waits is then refused too, instead of waiting for nothing. */
  readonly refusal: () => AppError | undefined;
  /** Called with each committed batch before its publishers are answered. */
  readonly onCommitted: (result: AppendResult) => void;
  /** How long a message waited for its batch to begin, in seconds, and the size of that batch. */
  readonly onBatch: (waitSeconds: number, size: number) => void;
}

interface Waiting {
  readonly message: NewMessage;
  readonly since: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

/** Statement parameters of this many characters at most; a batch of large messages is cut here. */
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
    const refusal = this.options.refusal();
    if (refusal) return Promise.reject(refusal);
    if (this.queue.length >= this.options.queueMax) {
      const text = 'Too many messages wait for their commit on this node; retry.';
      return Promise.reject(new AppError('overloaded', text, { retryAfterMs: 1_000 }));
    }
    return new Promise((resolve, reject) => {
      this.queue.push({ message, since: performance.now(), resolve, reject });
      if (this.busy) return;
      this.busy = true;
      // At the end of the event-loop turn, so that what arrived together commits together.
      setImmediate(() => void this.run());
    });
  }

  private async run(): Promise<void> {
    while (this.queue.length > 0) {
      const refusal = this.options.refusal();
      if (refusal) for (const waiting of this.queue.splice(0)) waiting.reject(refusal);
      else await this.commit(this.takeBatch());
    }
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

  private async commit(batch: Waiting[]): Promise<void> {
    const { firsts, followers } = separateRetries(batch);
    this.options.onBatch((performance.now() - (batch[0] as Waiting).since) / 1000, batch.length);
    try {
      const result = await this.options.store(firsts.map((waiting) => waiting.message));
      this.options.onCommitted(result);
      firsts.forEach((waiting, i) => {
        const appended = result.appended[i] as Appended;
        waiting.resolve(appended);
        for (const follower of followers.get(waiting) ?? []) follower.resolve({ ...appended, duplicate: true });
      });
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    }
  }
}

/** A retry that sits in the same batch as its first try takes the first one's answer: the statement must not see both. */
function separateRetries(batch: readonly Waiting[]): { firsts: Waiting[]; followers: Map<Waiting, Waiting[]> } {
  const byKey = new Map<string, Waiting>();
  const followers = new Map<Waiting, Waiting[]>();
  const firsts = batch.filter((waiting) => {
    const { channel, sender, clientMsgId } = waiting.message;
    if (clientMsgId === undefined) return true;
    const key = JSON.stringify([channel, sender, clientMsgId]);
    const first = byKey.get(key);
    if (!first) byKey.set(key, waiting);
    else if (followers.has(first)) followers.get(first)?.push(waiting);
    else followers.set(first, [waiting]);
    return first === undefined;
  });
  return { firsts, followers };
}
