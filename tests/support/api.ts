/** Calls of the HTTP interface, as an application makes them. */
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

/** Longest a publish may take to be answered; beyond it the outcome counts as unknown. */
const POST_TIMEOUT_MS = 30_000;

/** POST /v1/chat.postMessage. @throws when there is no answer, or none of ours */
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

/** All messages of a channel, page by page. */
export async function readAll(url: string, token: string, channel: string): Promise<Message[]> {
  const messages: Message[] = [];
  for (;;) {
    const after = messages.at(-1)?.offset ?? 0;
    const query = new URLSearchParams({ channel, after: String(after), limit: '1000' });
    const response = await fetch(`${url}/v1/conversations.history?${query}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const page = (await response.json()) as { ok: boolean; messages: Message[]; has_more: boolean };
    if (!page.ok) throw new Error(`history answered ${response.status}`);
    messages.push(...page.messages);
    if (!page.has_more) return messages;
  }
}

/** Value of one series of /metrics; labels as Prometheus prints them, in any order. 0 when it is not there. */
export async function metric(metricsUrl: string, name: string, labels: Record<string, string> = {}): Promise<number> {
  const text = await (await fetch(metricsUrl)).text();
  const line = text.split('\n').find((candidate) => {
    if (!candidate.startsWith(`${name}{`) && !candidate.startsWith(`${name} `)) return false;
    return Object.entries(labels).every(([key, value]) => candidate.includes(`${key}="${value}"`));
  });
  return Number(line?.split(' ').at(-1) ?? 0);
}
