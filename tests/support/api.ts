/** Calls of the HTTP interface as an application makes them, and a reader for /metrics. */
import type { Message } from '../../server/protocol/messages.ts';

export interface Posted {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly ok: boolean;
  readonly offset: number;
  readonly epoch: string;
  readonly id: string;
  readonly duplicate: boolean;
  readonly error?: { readonly code: string; readonly message: string; readonly retry_after_ms?: number };
}

/** Time within which a publish must be answered; after it the outcome is unknown. */
const POST_TIMEOUT_MS = 30_000;

/** POST /v1/chat.postMessage. @throws Error when there is no answer, or one that is not JSON */
export async function post(url: string, token: string, body: Record<string, unknown>): Promise<Posted> {
  const response = await fetch(`${url}/v1/chat.postMessage`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(POST_TIMEOUT_MS),
  });
  const answer = (await response.json()) as Omit<Posted, 'status' | 'retryAfter'>;
  return { ...answer, status: response.status, retryAfter: response.headers.get('retry-after') };
}

/** Reads all messages of a channel, page by page. */
export async function readAll(url: string, token: string, channel: string): Promise<Message[]> {
  const messages: Message[] = [];
  for (;;) {
    const after = messages.at(-1)?.offset ?? 0;
    const query = new URLSearchParams({ channel, after: String(after), limit: '1000' });
    const response = await fetch(`${url}/v1/conversations.history?${query}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const page = (await response.json()) as { ok: boolean; messages: Message[]; has_more: boolean };
    if (!page.ok) throw new Error(`The history of ${channel} was not read: HTTP ${response.status}`);
    messages.push(...page.messages);
    if (!page.has_more) return messages;
  }
}

/** Value of the first series with this name and these labels in /metrics; 0 when there is none. */
export async function metric(metricsUrl: string, name: string, labels: Record<string, string> = {}): Promise<number> {
  const text = await (await fetch(metricsUrl)).text();
  const line = text.split('\n').find((candidate) => {
    if (!candidate.startsWith(`${name}{`) && !candidate.startsWith(`${name} `)) return false;
    return Object.entries(labels).every(([key, value]) => candidate.includes(`${key}="${value}"`));
  });
  return Number(line?.split(' ').at(-1) ?? 0);
}
