/**
 * The login of a task's role at ElastiCache: in place of a password, a request to connect that is signed as for AWS, good
 * for 15 minutes. Made anew long before that, so that a connection that breaks finds a good one. A connection itself
 * lasts 12 hours; then ElastiCache closes it, and it is opened anew like any other that broke.
 */
import { AwsV4Signer } from 'aws4fetch';
import type { Credentials } from './credentials.ts';

export interface CacheLoginOptions {
  /** Id of the replication group. */
  readonly cache: string;
  /** Name of the user, which with IAM is also its id. */
  readonly user: string;
  readonly region: string;
  readonly credentials: () => Promise<Credentials>;
  /** A token could not be made; the one before is used as long as it is good. */
  readonly onError: (error: unknown) => void;
}

/** What AWS accepts at most. Seconds. */
const VALID_SECONDS = 900;
/** Two may fail before one that is in use runs out. Milliseconds. */
const RENEW_MS = 240_000;

/** The password of the moment. @throws the errors of `credentials` */
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

  /** Makes the first token, and keeps making new ones until `stop`. @throws when the first cannot be made */
  static async start(options: CacheLoginOptions): Promise<CacheLogin> {
    const login = new CacheLogin(options);
    await login.renew();
    login.timer = setInterval(() => void login.renew().catch(options.onError), RENEW_MS);
    login.timer.unref();
    return login;
  }

  /** The one of now: good for at least another 11 minutes, unless AWS was away. */
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
