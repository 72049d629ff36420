/**
 * AWS credentials as ECS gives them to a task: fixed keys, or temporary ones from the container credentials endpoint,
 * kept until shortly before they expire. Reads no environment and no file; never puts a secret into an error.
 */
import { fetchJson, text } from './fetch-json.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Each is the environment variable of the same name, without `AWS_`; empty when it is not set. */
export interface CredentialOptions {
  /** Fixed keys go before the endpoint, as in AWS's own clients. */
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** What ECS sets: a path on 169.254.170.2. Goes before the full URI. */
  readonly containerCredentialsRelativeUri: string;
  readonly containerCredentialsFullUri: string;
  /** Sent as the Authorization header. */
  readonly containerAuthorizationToken: string;
  readonly timeoutMs: number;
}

interface Temporary {
  readonly credentials: Credentials;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

const ECS_ENDPOINT = 'http://169.254.170.2';
/** Plain HTTP is fine to these: it does not leave the machine. */
const LOCAL_HOSTS = ['169.254.170.2', '169.254.170.23', '[fd00:ec2::23]', 'localhost', '127.0.0.1', '[::1]'];
/** New ones are fetched so long before the old expire, milliseconds. ECS has them ready by then. */
const RENEW_BEFORE_MS = 300_000;

/**
 * The returned function throws when there are none to be had now.
 * @throws TypeError at once when the options name no source, or one that would send secrets over the network in the clear
 */
export function createCredentials(options: CredentialOptions): () => Promise<Credentials> {
  const { accessKeyId, secretAccessKey, sessionToken } = options;
  if (accessKeyId && secretAccessKey) {
    const fixed = { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
    return async () => fixed;
  }
  const url = endpointUrl(options);
  const headers = options.containerAuthorizationToken ? { authorization: options.containerAuthorizationToken } : {};
  let kept: Temporary | undefined;
  return async () => {
    if (kept && kept.expiresAt - Date.now() > RENEW_BEFORE_MS) return kept.credentials;
    try {
      kept = toTemporary(await fetchJson(url, { headers, timeoutMs: options.timeoutMs }));
    } catch (error) {
      // The endpoint may be away for a while; the old ones are still good.
      if (!kept || kept.expiresAt <= Date.now()) throw error;
    }
    return kept.credentials;
  };
}

function endpointUrl(options: CredentialOptions): string {
  if (options.containerCredentialsRelativeUri) return ECS_ENDPOINT + options.containerCredentialsRelativeUri;
  if (!options.containerCredentialsFullUri) {
    const sources = 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, AWS_CONTAINER_CREDENTIALS_FULL_URI or AWS_ACCESS_KEY_ID';
    throw new TypeError(`There are no AWS credentials: none of ${sources} is set. Does the task have a task role?`);
  }
  if (!isSafe(options.containerCredentialsFullUri))
    throw new TypeError('AWS_CONTAINER_CREDENTIALS_FULL_URI must be an https URL, or http to this machine');
  return options.containerCredentialsFullUri;
}

function isSafe(uri: string): boolean {
  if (!URL.canParse(uri)) return false;
  const { protocol, hostname } = new URL(uri);
  return protocol === 'https:' || (protocol === 'http:' && LOCAL_HOSTS.includes(hostname));
}

function toTemporary(answer: unknown): Temporary {
  const what = 'The credentials endpoint';
  const expiresAt = Date.parse(text(answer, 'Expiration', what));
  if (Number.isNaN(expiresAt)) throw new TypeError(`${what} answered with an Expiration that is no time`);
  return {
    credentials: {
      accessKeyId: text(answer, 'AccessKeyId', what),
      secretAccessKey: text(answer, 'SecretAccessKey', what),
      sessionToken: text(answer, 'Token', what),
    },
    expiresAt,
  };
}
