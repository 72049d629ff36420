/** Reads a secret from AWS Secrets Manager (GetSecretValue), signed with Signature V4. Keeps nothing, repeats nothing. */
import { AwsClient } from 'aws4fetch';
import type { Credentials } from './credentials.ts';

export interface SecretOptions {
  readonly arn: string;
  readonly credentials: () => Promise<Credentials>;
  /** In place of AWS's own endpoint; empty: that of the secret's region. */
  readonly endpoint: string;
  readonly timeoutMs: number;
}

const ARN = /^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):\d{12}:secret:\S+$/;

/**
 * The returned function asks once and resolves with the secret's text. It throws an Error that names AWS's code, never
 * the answer, or fetch's errors when AWS cannot be reached in time.
 * @throws TypeError at once when the ARN is none
 */
export function createSecret({ arn, credentials, endpoint, timeoutMs }: SecretOptions): () => Promise<string> {
  const [, region] = ARN.exec(arn) ?? [];
  if (region === undefined) throw new TypeError(`"${arn}" is not the ARN of a secret`);
  const url = endpoint || `https://secretsmanager.${region}.amazonaws.com/`;
  return async () => {
    const signer = new AwsClient({ ...(await credentials()), service: 'secretsmanager', region });
    const request = await signer.sign(url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'secretsmanager.GetSecretValue' },
      body: JSON.stringify({ SecretId: arn }),
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const response = await fetch(request);
    const answer = (await response.json().catch(() => ({}))) as { SecretString?: unknown; __type?: unknown };
    if (!response.ok) throw new Error(`Secrets Manager refused: ${String(answer.__type ?? `HTTP ${response.status}`)}`);
    if (typeof answer.SecretString !== 'string') throw new Error('The secret has no text');
    return answer.SecretString;
  };
}
