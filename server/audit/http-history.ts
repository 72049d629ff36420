/** Reads the history over HTTP, as an application does, for an auditor outside the nodes. */
import type { Json } from '../protocol/messages.ts';
import type { HistorySource } from './auditor.ts';
import { PAGE_SIZE } from './channel-audit.ts';

export interface HttpHistoryOptions {
  /** Address of the service: `https://host`. */
  readonly url: string;
  /** A token that may subscribe to the channels. */
  readonly token: string;
  /** Longest time of one request, milliseconds. Default 10000. */
  readonly timeoutMs?: number;
}

interface HistoryAnswer {
  readonly ok: boolean;
  readonly epoch: string;
  readonly top: number;
  readonly messages: readonly { readonly offset: number; readonly id: string; readonly data: Json }[];
  readonly error?: { readonly code: string; readonly message: string };
}

const TIMEOUT_MS = 10_000;

/** The returned function throws an Error with the status and code of an answer that is not a page. */
export function httpHistory({ url, token, timeoutMs = TIMEOUT_MS }: HttpHistoryOptions): HistorySource {
  return async (channel, after) => {
    const query = new URLSearchParams({ channel, after: String(after), limit: String(PAGE_SIZE) });
    const response = await fetch(`${url}/v1/conversations.history?${query}`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(timeoutMs),
    });
    const answer = (await response.json()) as HistoryAnswer;
    if (!answer.ok)
      throw new Error(
        `The history of ${channel} answered ${response.status} ${answer.error?.code}: ${answer.error?.message}`,
      );
    return answer;
  };
}
