/**
 * Every setting of a node: joins the groups of `config/` into one table, and loads and checks a node's configuration with it.
 * It has no setting of its own and never reads `process.env`: the caller passes the environment.
 */
import { AUTH, authProblems } from './config/auth.ts';
import { AWS } from './config/aws.ts';
import { CONNECTIONS, connectionProblems } from './config/connections.ts';
import { DELIVERY } from './config/delivery.ts';
import { DRAIN } from './config/drain.ts';
import { HISTORY, historyProblems } from './config/history.ts';
import { POSTGRES, postgresProblems } from './config/postgres.ts';
import { REDIS, redisProblems } from './config/redis.ts';
import { SERVICE } from './config/service.ts';
import { TRACING } from './config/tracing.ts';
import { readSettings, type Values } from './env.ts';

export { ConfigError } from './env.ts';

/** The settings by group, in the order in which `npm run docs` prints them into server/README.md. */
export const SETTING_GROUPS = {
  Service: SERVICE,
  Postgres: POSTGRES,
  History: HISTORY,
  Redis: REDIS,
  Authentication: AUTH,
  'Connections and limits': CONNECTIONS,
  Delivery: DELIVERY,
  Drain: DRAIN,
  AWS,
  Tracing: TRACING,
};

/** All settings in one table. */
export const SETTINGS = {
  ...SERVICE,
  ...POSTGRES,
  ...HISTORY,
  ...REDIS,
  ...AUTH,
  ...CONNECTIONS,
  ...DELIVERY,
  ...DRAIN,
  ...AWS,
  ...TRACING,
};

/** The checked settings of one node. */
export type Config = Values<typeof SETTINGS>;

/** Each returns what is wrong between settings that are valid on their own. */
const CROSS_CHECKS: readonly ((config: Config) => string[])[] = [
  postgresProblems,
  historyProblems,
  redisProblems,
  authProblems,
  connectionProblems,
];

/**
 * Reads and checks the settings.
 * @throws ConfigError with every problem, each beginning with the name of its variable
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  return readSettings(SETTINGS, env, (config) => CROSS_CHECKS.flatMap((check) => check(config)));
}
