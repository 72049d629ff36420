/** Reads a secret from AWS Secrets Manager (GetSecretValue), signed with Signature V4. It caches nothing and does not retry. */
import { AwsClient } from 'aws4fetch';
import type { Credentials } from './credentials.ts';

export interface SecretOptions {
  readonly arn: string;
  readonly credentials: () => Promise<Credentials>;
  /** URL used instead of the AWS endpoint. Empty: the endpoint of the region of the secret. */
  readonly endpoint: string;
  readonly timeoutMs: number;
}

const ARN = /^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):\d{12}:secret:\S+$/;

/**
 * The returned function sends one request and resolves with the text of the secret. It throws an Error with the error code
 * of AWS, never with the answer, or the errors of `fetch` when AWS does not answer in time.
 * @throws TypeError when `arn` is not the ARN of a secret
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
    if (typeof answer.SecretString !== 'string') throw new Error('The secret has no SecretString');
    return answer.SecretString;
  };
}
