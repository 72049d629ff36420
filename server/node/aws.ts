/** Builds what a node needs from AWS: credentials, the logins to its stores, and the watch for its deregistration. */
import { CacheLogin } from '../aws/cache-login.ts';
import { type Credentials, createCredentials } from '../aws/credentials.ts';
import { startDeregistrationWatch } from '../aws/deregistration/start.ts';
import type { Watch } from '../aws/deregistration/watch.ts';
import { createRotatingPassword } from '../aws/rotating-password.ts';
import { createSecret } from '../aws/secret.ts';
import type { Config } from '../config.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { loadCertificates } from '../history/certificates.ts';
import type { PostgresLogin } from '../history/pool.ts';
import type { ErrorLog, Logger } from '../logger.ts';

export type AwsCredentials = () => Promise<Credentials>;

/** Longest wait for an answer from AWS, milliseconds. The next connection or renewal sends the request again. */
const AWS_TIMEOUT_MS = 3_000;

/** Credentials of the task role; undefined when no setting needs AWS. */
export function createAwsCredentials(config: Config): AwsCredentials | undefined {
  if (!config.DATABASE_SECRET_ARN && !config.REDIS_IAM_USER && !config.DEREGISTRATION_TARGET_GROUP_ARN)
    return undefined;
  return createCredentials({
    accessKeyId: config.AWS_ACCESS_KEY_ID,
    secretAccessKey: config.AWS_SECRET_ACCESS_KEY,
    sessionToken: config.AWS_SESSION_TOKEN,
    containerCredentialsRelativeUri: config.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI,
    containerCredentialsFullUri: config.AWS_CONTAINER_CREDENTIALS_FULL_URI,
    containerAuthorizationToken: config.AWS_CONTAINER_AUTHORIZATION_TOKEN,
    timeoutMs: AWS_TIMEOUT_MS,
  });
}

/** Address of Postgres, with the password that RDS rotates when DATABASE_SECRET_ARN names it. */
export async function createPostgresLogin(
  config: Config,
  credentials: AwsCredentials | undefined,
  onError: ErrorLog,
): Promise<PostgresLogin> {
  const ca = await loadCertificates(config.DATABASE_CA);
  const url = config.DATABASE_URL;
  if (!config.DATABASE_SECRET_ARN || !credentials) return { url, ca };
  const read = createSecret({
    arn: config.DATABASE_SECRET_ARN,
    credentials,
    endpoint: config.AWS_ENDPOINT_URL,
    timeoutMs: AWS_TIMEOUT_MS,
  });
  const onStale = (error: unknown) => onError('The database secret (DATABASE_SECRET_ARN) could not be read.', error);
  return { url, ca, password: createRotatingPassword({ read, onStale }) };
}

/** IAM login of ElastiCache; undefined without REDIS_IAM_USER. */
export async function createCacheLogin(
  config: Config,
  credentials: AwsCredentials | undefined,
  onError: ErrorLog,
): Promise<CacheLogin | undefined> {
  if (!config.REDIS_IAM_USER || !credentials) return undefined;
  return CacheLogin.start({
    cache: config.REDIS_IAM_CACHE,
    user: config.REDIS_IAM_USER,
    region: config.AWS_REGION,
    credentials,
    onError: (error) => onError('The login for Redis (REDIS_IAM_USER) could not be renewed.', error),
  });
}

/** Drains the gateway when the load balancer deregisters this node. The node exits only on SIGTERM. */
export function watchTarget(
  config: Config,
  credentials: AwsCredentials | undefined,
  gateway: Gateway,
  log: Logger,
  onError: ErrorLog,
): Watch | undefined {
  if (!config.DEREGISTRATION_TARGET_GROUP_ARN || !credentials) return undefined;
  return startDeregistrationWatch({
    targetGroupArn: config.DEREGISTRATION_TARGET_GROUP_ARN,
    port: config.PORT,
    intervalMs: config.DEREGISTRATION_POLL_MS,
    timeoutMs: config.DEREGISTRATION_POLL_MS,
    metadataUri: config.ECS_CONTAINER_METADATA_URI_V4,
    endpoint: config.AWS_ENDPOINT_URL,
    credentials,
    onChange: (state) => log.info({ state }, 'The state of this target changed.'),
    onDeregistered: (state) => {
      log.info({ state }, 'This target has been deregistered: draining.');
      gateway.drain(config.DEREGISTRATION_DRAIN_MS).catch((error: unknown) => onError('The drain failed.', error));
    },
    onError: (error) => onError('The state of this target could not be read.', error),
  });
}
