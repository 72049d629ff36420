/**
 * Takes the retries out of a batch that also contains their first attempt, because the append statement must not see both.
 * Pure.
 */
import type { Appended, NewMessage } from './types.ts';

export interface DistinctBatch {
  /** The batch without retries of messages that are in it too. */
  readonly messages: readonly NewMessage[];
  /** For each message of the whole batch, its index in `messages`. */
  readonly indexes: readonly number[];
}

/** A retry has the channel, sender and client_msg_id of an earlier message. */
export function separateRetries(batch: readonly NewMessage[]): DistinctBatch {
  const messages: NewMessage[] = [];
  const byKey = new Map<string, number>();
  const indexes = batch.map((message) => {
    const { channel, sender, clientMsgId } = message;
    const key = clientMsgId === undefined ? undefined : JSON.stringify([channel, sender, clientMsgId]);
    const first = key === undefined ? undefined : byKey.get(key);
    if (first !== undefined) return first;
    if (key !== undefined) byKey.set(key, messages.length);
    return messages.push(message) - 1;
  });
  return { messages, indexes };
}

/** The answer for each message of the whole batch: a retry gets that of its first try, as a duplicate. */
export function answerAll(indexes: readonly number[], appended: readonly Appended[]): Appended[] {
  let next = 0;
  return indexes.map((index) => {
    const answer = appended[index] as Appended;
    if (index < next) return { ...answer, duplicate: true };
    next = index + 1;
    return answer;
  });
}
