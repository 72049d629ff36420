/**
 * Reads JSON from the endpoints that ECS provides to a task: credentials and metadata. Errors never contain an answer, because
 * it may contain secrets.
 */

export interface FetchJsonOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** @throws the errors of `fetch`, or Error when the status is not 200 or the answer is not JSON */
export async function fetchJson(url: string, { headers = {}, timeoutMs }: FetchJsonOptions): Promise<unknown> {
  const response = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
  const { host } = new URL(url);
  const body = await response.text();
  if (response.status !== 200) throw new Error(`${host} answered with HTTP ${response.status}`);
  try {
    return JSON.parse(body);
  } catch {
    throw new Error(`${host} did not answer with JSON`);
  }
}

/** Returns a field of an answer. @param what names the endpoint in errors @throws TypeError when the field is not a string, or empty */
export function text(value: unknown, name: string, what: string): string {
  const field: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  if (typeof field !== 'string' || field === '') throw new TypeError(`${what} answered without ${name}`);
  return field;
}
