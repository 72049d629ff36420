/**
 * IAM login of ElastiCache. The password is a token: a `connect` request signed with the credentials of the task role, valid
 * for 15 minutes. It is renewed every 4 minutes, so that a reconnect always has a valid token. ElastiCache closes each
 * connection after 12 hours; the client then reconnects as after any other disconnect.
 */
import { AwsV4Signer } from 'aws4fetch';
import type { Credentials } from './credentials.ts';

export interface CacheLoginOptions {
  /** Id of the replication group. */
  readonly cache: string;
  /** Name of the user. With IAM it is also the id of the user. */
  readonly user: string;
  readonly region: string;
  readonly credentials: () => Promise<Credentials>;
  /** A token could not be made. The current one stays in use until it expires. */
  readonly onError: (error: unknown) => void;
}

/** Lifetime of a token, seconds: the longest that AWS accepts. */
const VALID_SECONDS = 900;
/** Time between two renewals, milliseconds. Two may fail before the current token expires. */
const RENEW_MS = 240_000;

/** Makes a token. @throws the errors of `credentials` */
export async function cacheToken(
  options: Pick<CacheLoginOptions, 'cache' | 'user' | 'region' | 'credentials'>,
  at: Date = new Date(),
): Promise<string> {
  const { cache, user, region, credentials } = options;
  const query = new URLSearchParams({ Action: 'connect', User: user, 'X-Amz-Expires': String(VALID_SECONDS) });
  const signer = new AwsV4Signer({
    ...(await credentials()),
    url: `http://${cache.toLowerCase()}/?${query}`,
    method: 'GET',
    service: 'elasticache',
    region,
    signQuery: true,
    datetime: at.toISOString().replace(/[-:]|\.\d{3}/g, ''),
  });
  const { url } = await signer.sign();
  return url.href.slice('http://'.length);
}

export class CacheLogin {
  readonly username: string;
  private readonly options: CacheLoginOptions;
  private current = '';
  private timer: NodeJS.Timeout | undefined;

  private constructor(options: CacheLoginOptions) {
    this.options = options;
    this.username = options.user;
  }

  /** Makes the first token and renews it until `stop`. @throws the error of the first token */
  static async start(options: CacheLoginOptions): Promise<CacheLogin> {
    const login = new CacheLogin(options);
    await login.renew();
    login.timer = setInterval(() => void login.renew().catch(options.onError), RENEW_MS);
    login.timer.unref();
    return login;
  }

  /** The current token. Valid for at least 11 more minutes, unless renewals failed. */
  get password(): string {
    return this.current;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async renew(): Promise<void> {
    this.current = await cacheToken(this.options);
  }
}
