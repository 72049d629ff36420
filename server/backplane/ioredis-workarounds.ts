/**
 * Everything that works around how ioredis handles the replies of sharded Pub/Sub; tested against the installed ioredis.
 *
 * When a slot moves, the server sends an `sunsubscribe` for each of its channels, which answers no command. ioredis takes it
 * for the answer to the oldest command that is under way. The real answer then goes to the next command, and so on; the
 * last answer finds no command and is reported as an error event.
 */
import type { Redis } from 'ioredis';

/**
 * The channel that the server dropped because its slot moved, from the error event of a subscriber connection.
 * Undefined for every other error.
 */
export function droppedChannel(error: Error): string | undefined {
  return /^Command queue state error\. [^.]+\. Last reply: sunsubscribe,(.*),\d+$/s.exec(error.message)?.[1];
}

/**
 * Whether the error event reports an answer of sharded Pub/Sub that found no command. Unless it is a dropped channel,
 * it does not say which channels are affected. Messages are reported this way too, while ioredis does not know that
 * the connection has subscriptions.
 */
export function isOutOfStep(error: Error): boolean {
  return /^Command queue state error\. [^.]+\. Last (reply: (s(un)?subscribe|smessage),|error: (MOVED|CLUSTERDOWN) )/.test(
    error.message,
  );
}

/**
 * Rejects the SUBSCRIBE commands that were answered with MOVED. ioredis leaves the promise of such a command pending and
 * emits `moved`, which names no channel; so all commands that are under way are rejected.
 */
export class UnansweredSubscribes {
  private readonly rejections = new Set<(error: Error) => void>();

  constructor(subscriber: Redis) {
    subscriber.on('moved', () => this.reject(new Error('MOVED')));
  }

  /** Settles as `answer` does, or rejects with MOVED. */
  track(answer: Promise<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.rejections.add(reject);
      const settled = () => this.rejections.delete(reject);
      answer.finally(settled).then(() => resolve(), reject);
    });
  }

  private reject(error: Error): void {
    for (const reject of this.rejections) reject(error);
    this.rejections.clear();
  }
}
