/** What a client holds of a channel, as PROTOCOL.md says: the messages since the last `subscribed` that recovered nothing. */
import { expect } from '@jest/globals';
import type { Message } from '../../server/protocol/messages.ts';
import type { RawClient } from './raw-client.ts';

export interface Held {
  readonly messages: readonly Message[];
  /** Offset of the position of the client. */
  readonly offset: number;
}

/** @throws Error when an offset is not the one after the position before it */
export function heldMessages(client: RawClient, channel: string): Held {
  let messages: Message[] = [];
  let offset: number | undefined;
  for (const push of client.pushes) {
    if (push.type === 'subscribed' && push.channel === channel) {
      if (!push.recovered) messages = [];
      else if (offset !== undefined) expect(push).toMatchObject({ offset });
      offset = push.offset;
    } else if (push.type === 'message' && push.channel === channel) {
      offset = (offset ?? Number.NaN) + 1;
      expect(push).toMatchObject({ offset });
      messages.push(push);
    }
  }
  return { messages, offset: offset ?? 0 };
}

/** Expects that every message that the client holds is what the history has at its offset, and that it holds the newest. */
export async function expectOneHistory(client: RawClient, channel: string, url: string, token: string): Promise<void> {
  const held = heldMessages(client, channel);
  const query = new URLSearchParams({ channel, limit: '1000', after: String((held.messages[0]?.offset ?? 1) - 1) });
  const answer = await fetch(`${url}/v1/conversations.history?${query}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const { messages, top } = (await answer.json()) as { messages: Message[]; top: number };
  const stored = new Map(messages.map(({ offset, id }) => [offset, id]));
  expect(held.messages.filter(({ offset, id }) => stored.get(offset) !== id)).toEqual([]);
  expect(held.offset).toBe(top);
}
