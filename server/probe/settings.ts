/** The settings of a probe, in one table. */
import { str } from 'envalid';
import { integer, milliseconds, port, readSettings, secret, serverUrl } from '../env.ts';

/** The table. `desc` is the documentation that `npm run docs` prints into server/README.md. */
export const PROBE_SETTINGS = {
  PROBE_URL: serverUrl('https:', 'http:')({ desc: 'The service as clients reach it: https://host. Required.' }),
  PROBE_ZONE: str({ default: '', desc: 'Where this probe stands; part of the channel it uses.' }),
  PROBE_INTERVAL_MS: milliseconds({ default: 10_000, desc: 'Time between the beginnings of two rounds.' }),
  PROBE_TIMEOUT_MS: milliseconds({ default: 5_000, desc: 'Longest a phase of a round may take before it has failed.' }),
  PROBE_CHANNEL: str({
    default: 'probe',
    desc: 'Channel it publishes to; the zone and the name of the host are added, with `:`. No two probes may share a channel.',
  }),
  PROBE_TOKEN: str({
    default: '',
    desc: 'A token (JWT) that may publish to and subscribe to `PROBE_CHANNEL:*`. Empty: the probe signs its own with AUTH_JWT_SECRET.',
  }),
  AUTH_JWT_SECRET: secret({
    default: '',
    desc: 'Key of HS256 tokens, the nodes’ own. This or PROBE_TOKEN is required.',
  }),
  AUTH_ISSUER: str({ default: '', desc: 'Issuer (`iss`) of the tokens that it signs, as the nodes want it.' }),
  AUTH_AUDIENCE: str({ default: '', desc: 'Audience (`aud`) of the tokens that it signs, as the nodes want it.' }),
  HOST: str({ default: '0.0.0.0', desc: 'Address that the metrics port listens on.' }),
  METRICS_PORT: port({ default: 9464, desc: 'Port of /metrics (Prometheus). 0 takes a free one.' }),
  LOG_LEVEL: str({
    default: 'info',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    desc: 'Least level that is logged.',
  }),
  PROBE_MESSAGES: integer(
    1,
    100,
  )({ default: 3, desc: 'Messages published live in a round, and as many missed and recovered.' }),
};

/** The settings of one probe, checked. */
export type ProbeSettings = ReturnType<typeof loadProbeSettings>;

/** @throws ConfigError with every problem, each naming its variable */
export function loadProbeSettings(env: Readonly<Record<string, string | undefined>>) {
  return readSettings(PROBE_SETTINGS, env, ({ PROBE_URL, PROBE_TOKEN, AUTH_JWT_SECRET }) => [
    ...(PROBE_URL === '' ? ['PROBE_URL is empty. It names the service to probe: https://host.'] : []),
    ...(PROBE_TOKEN === '' && AUTH_JWT_SECRET === ''
      ? ['PROBE_TOKEN or AUTH_JWT_SECRET must be set: the probe could not get in.']
      : []),
  ]);
}

/**
 * The channel of one probe: its audit counts every message that it did not get as lost, so nobody else may publish there.
 * A new task of the same zone has another host name, and its predecessor may still be there.
 */
export function probeChannel(
  { PROBE_CHANNEL, PROBE_ZONE }: Pick<ProbeSettings, 'PROBE_CHANNEL' | 'PROBE_ZONE'>,
  host: string,
): string {
  // What a host may be called and a channel may not: anything else than letters, digits and these.
  return [PROBE_CHANNEL, PROBE_ZONE, host.replace(/[^A-Za-z0-9.-]/g, '-')].filter(Boolean).join(':');
}
