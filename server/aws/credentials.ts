/**
 * AWS credentials of an ECS task: fixed keys, or temporary ones from the container credentials endpoint, cached until
 * shortly before they expire. It reads no environment and no file, and no error text contains a secret.
 */
import { fetchJson, text } from './fetch-json.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Values of the environment variables of the same names with the prefix `AWS_`. Empty: not set. */
export interface CredentialOptions {
  /** Fixed keys have precedence over the endpoint, as in the AWS SDKs. */
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Path on 169.254.170.2, set by ECS. Has precedence over the full URI. */
  readonly containerCredentialsRelativeUri: string;
  readonly containerCredentialsFullUri: string;
  /** Authorization header of the requests. */
  readonly containerAuthorizationToken: string;
  readonly timeoutMs: number;
}

interface Temporary {
  readonly credentials: Credentials;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

const ECS_ENDPOINT = 'http://169.254.170.2';
/** Hosts to which plain HTTP is allowed, because the request does not leave the machine. */
const LOCAL_HOSTS = ['169.254.170.2', '169.254.170.23', '[fd00:ec2::23]', 'localhost', '127.0.0.1', '[::1]'];
/** Time before expiry at which credentials are fetched again, milliseconds. */
const RENEW_BEFORE_MS = 300_000;

/**
 * The returned function throws when it has no valid credentials and the endpoint does not answer.
 * @throws TypeError when the options name no source, or a source that would send secrets unencrypted over the network
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
      // The cached credentials stay in use until they expire.
      if (!kept || kept.expiresAt <= Date.now()) throw error;
    }
    return kept.credentials;
  };
}

function endpointUrl(options: CredentialOptions): string {
  if (options.containerCredentialsRelativeUri) return ECS_ENDPOINT + options.containerCredentialsRelativeUri;
  if (!options.containerCredentialsFullUri) {
    const sources = 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, AWS_CONTAINER_CREDENTIALS_FULL_URI or AWS_ACCESS_KEY_ID';
    throw new TypeError(
      `There are no AWS credentials: none of ${sources} is set. Check that the task has a task role.`,
    );
  }
  if (!isSafe(options.containerCredentialsFullUri))
    throw new TypeError('AWS_CONTAINER_CREDENTIALS_FULL_URI must be an https URL, or an http URL of this machine');
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
  if (Number.isNaN(expiresAt)) throw new TypeError(`${what} answered with an Expiration that is not a time`);
  return {
    credentials: {
      accessKeyId: text(answer, 'AccessKeyId', what),
      secretAccessKey: text(answer, 'SecretAccessKey', what),
      sessionToken: text(answer, 'Token', what),
    },
    expiresAt,
  };
}
