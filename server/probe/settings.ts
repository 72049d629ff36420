/** The settings of a probe, in one table. A node has its own (`config.ts`). */
import { str } from 'envalid';
import { integer, logLevel, milliseconds, port, readSettings, secret, serverUrl } from '../env.ts';

/** The table. `desc` is the documentation that `npm run docs` prints into server/README.md. */
export const PROBE_SETTINGS = {
  PROBE_URL: serverUrl(
    'https:',
    'http:',
  )({ desc: 'Address of the service as clients reach it: https://host. Required.' }),
  PROBE_ZONE: str({ default: '', desc: 'Zone in which this probe runs; part of the name of its channel.' }),
  PROBE_INTERVAL_MS: milliseconds({ default: 10_000, desc: 'Time between the starts of two rounds, in ms.' }),
  PROBE_TIMEOUT_MS: milliseconds({
    default: 5_000,
    desc: 'Longest wait for one reply or for the arrival of the messages, in ms. The round then fails.',
  }),
  PROBE_CHANNEL: str({
    default: 'probe',
    desc: 'Beginning of the name of the channel that the probe publishes to. The zone and the host name follow, separated by `:`, so that no two probes share a channel.',
  }),
  PROBE_TOKEN: str({
    default: '',
    desc: 'Token (JWT) that may publish to and subscribe to `PROBE_CHANNEL:*`. Empty: the probe signs its own with AUTH_JWT_SECRET.',
  }),
  AUTH_JWT_SECRET: secret({
    default: '',
    desc: 'Key with which the probe signs its tokens (HS256), the same as on the nodes. Either this or PROBE_TOKEN is required.',
  }),
  AUTH_ISSUER: str({
    default: '',
    desc: 'Issuer (`iss`) of the tokens that the probe signs, the same as on the nodes.',
  }),
  AUTH_AUDIENCE: str({
    default: '',
    desc: 'Audience (`aud`) of the tokens that the probe signs, the same as on the nodes.',
  }),
  HOST: str({ default: '0.0.0.0', desc: 'Address that the metrics port listens on.' }),
  METRICS_PORT: port({ default: 9464, desc: 'Port of /metrics for Prometheus. 0 takes any free port.' }),
  LOG_LEVEL: logLevel,
  PROBE_MESSAGES: integer(
    1,
    100,
  )({
    default: 3,
    desc: 'Messages that a round publishes while the receiver is connected, and again while it is disconnected.',
  }),
};

/** The settings of one probe, checked. */
export type ProbeSettings = ReturnType<typeof loadProbeSettings>;

/** @throws ConfigError with every problem, each beginning with the name of its variable */
export function loadProbeSettings(env: Readonly<Record<string, string | undefined>>) {
  return readSettings(PROBE_SETTINGS, env, ({ PROBE_URL, PROBE_TOKEN, AUTH_JWT_SECRET }) => [
    ...(PROBE_URL === '' ? ['PROBE_URL is empty. It names the service to probe: https://host.'] : []),
    ...(PROBE_TOKEN === '' && AUTH_JWT_SECRET === ''
      ? ['PROBE_TOKEN or AUTH_JWT_SECRET must be set. The probe cannot connect without a token.']
      : []),
  ]);
}

/**
 * The channel of one probe. The audit counts as lost every message of the channel that the probe did not get, so no other
 * client may publish there. The host name is part of it, because during a deploy two probes run in the same zone.
 */
export function probeChannel(
  { PROBE_CHANNEL, PROBE_ZONE }: Pick<ProbeSettings, 'PROBE_CHANNEL' | 'PROBE_ZONE'>,
  host: string,
): string {
  // Host names may contain characters that channel names may not.
  return [PROBE_CHANNEL, PROBE_ZONE, host.replace(/[^A-Za-z0-9.-]/g, '-')].filter(Boolean).join(':');
}
