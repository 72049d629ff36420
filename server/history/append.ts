/** Stores a batch with one statement, and derives the offset of each message from the compact result. */
import { randomUUID } from 'node:crypto';
import type { Queryable } from './pool.ts';
import type { Appended, Committed, NewMessage, StoredMessage } from './types.ts';

interface AppendRow {
  epoch: string;
  created_ms: number;
  firsts: string[];
  duplicates: number[] | null;
  duplicate_offsets: string[] | null;
  duplicate_ids: string[] | null;
}

/** Result of a commit: the place of every message, in the order given, and the new messages by channel. */
export interface AppendResult {
  readonly appended: readonly Appended[];
  readonly committed: readonly Committed[];
}

/**
 * Stores `messages` in one commit. No two may share channel, sender and client_msg_id (see `retries.ts`).
 * @throws the error of pg. Nothing was stored, or, if the connection broke during the commit, perhaps everything.
 */
export async function appendBatch(database: Queryable, messages: readonly NewMessage[]): Promise<AppendResult> {
  const channels = [...new Set(messages.map((message) => message.channel))];
  const indexOf = new Map(channels.map((channel, index) => [channel, index]));
  const channelOf = messages.map((message) => indexOf.get(message.channel) as number);
  const ids = messages.map(() => randomUUID());
  const result = await database.query<AppendRow>({
    name: 'append_messages',
    text: 'SELECT * FROM append_messages($1::text[], $2::int[], $3::uuid[], $4::text[], $5::text[], $6::text[])',
    values: [
      channels,
      channelOf.map((index) => index + 1),
      ids,
      messages.map((message) => message.sender),
      messages.map((message) => message.data),
      messages.map((message) => message.clientMsgId ?? null),
    ],
  });
  return placeMessages(messages, channels, channelOf, ids, result.rows[0] as AppendRow);
}

/** Pure: numbers the new messages of each channel from its first offset; duplicates keep their stored offset. */
export function placeMessages(
  messages: readonly NewMessage[],
  channels: readonly string[],
  channelOf: readonly number[],
  ids: readonly string[],
  row: AppendRow,
): AppendResult {
  const duplicates = new Map<number, { offset: number; id: string }>();
  row.duplicates?.forEach((ordinal, i) => {
    duplicates.set(ordinal - 1, { offset: Number(row.duplicate_offsets?.[i]), id: String(row.duplicate_ids?.[i]) });
  });
  const next = row.firsts.map(Number);
  const stored: StoredMessage[][] = channels.map(() => []);
  const traceparents: (string | undefined)[] = [];
  const appended = messages.map((message, i): Appended => {
    const base = { epoch: row.epoch, createdAt: row.created_ms };
    const known = duplicates.get(i);
    if (known) return { ...base, ...known, duplicate: true };
    const channel = channelOf[i] as number;
    const offset = next[channel] as number;
    next[channel] = offset + 1;
    const id = ids[i] as string;
    stored[channel]?.push({ offset, id, sender: message.sender, data: message.data, createdAt: row.created_ms });
    traceparents[channel] ??= message.traceparent;
    return { ...base, offset, id, duplicate: false };
  });
  const committed = channels.flatMap((channel, i) => {
    const channelMessages = stored[i] as StoredMessage[];
    if (channelMessages.length === 0) return [];
    return [{ channel, epoch: row.epoch, messages: channelMessages, traceparent: traceparents[i] }];
  });
  return { appended, committed };
}
