/** Builds what serves clients: the hub, authentication, the gateway and the HTTP app. */
import type { FastifyInstance } from 'fastify';
import { type Authenticator, createAuthenticator } from '../auth/authenticator.ts';
import { deriveTicketSecret, Tickets } from '../auth/tickets.ts';
import { cacheVerified } from '../auth/token-cache.ts';
import { createTokenVerifier } from '../auth/tokens.ts';
import type { OnceStore } from '../backplane/types.ts';
import type { Config } from '../config.ts';
import { Gateway } from '../gateway/gateway.ts';
import type { SessionContext } from '../gateway/session-context.ts';
import { createHttpApp, type HttpOptions } from '../http/app.ts';
import { Hub, type HubOptions } from '../hub/hub.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { VERSION } from '../version.ts';

type HubParts = Pick<HubOptions, 'history' | 'backplane' | 'presenceStore' | 'metrics' | 'onError'>;

export function createHub(config: Config, parts: HubParts): Hub {
  return new Hub({
    ...parts,
    windowMessages: config.TAIL_WINDOW_MESSAGES,
    windowBytes: config.TAIL_WINDOW_BYTES,
    pageSize: config.HISTORY_PAGE_SIZE,
    readConcurrency: config.HISTORY_READ_CONCURRENCY,
    cacheBytes: config.HISTORY_CACHE_BYTES,
    gapHoldMs: config.GAP_HOLD_MS,
    pollIntervalMs: config.HISTORY_POLL_INTERVAL_MS,
    pollIntervalDegradedMs: config.HISTORY_POLL_INTERVAL_DEGRADED_MS,
    flushIntervalMaxMs: config.FLUSH_INTERVAL_MAX_MS,
    writeBytesMax: config.SEND_HIGH_WATER_BYTES,
    presenceTtlMs: config.PRESENCE_TTL_MS,
  });
}

export function createAuth(config: Config, once: OnceStore | undefined, metrics: Metrics): Authenticator {
  const verify = cacheVerified(
    createTokenVerifier({
      secret: config.AUTH_JWT_SECRET,
      jwksUrl: config.AUTH_JWKS_URL,
      issuer: config.AUTH_ISSUER,
      audience: config.AUTH_AUDIENCE,
    }),
  );
  const secret = config.AUTH_TICKET_SECRET || deriveTicketSecret(config.AUTH_JWT_SECRET);
  return createAuthenticator(verify, new Tickets({ secret, once }), metrics);
}

type GatewayParts = Pick<
  SessionContext,
  'nodeId' | 'hub' | 'authenticator' | 'publisher' | 'userLimits' | 'metrics' | 'onError'
>;

export function createGateway(config: Config, log: Logger, parts: GatewayParts): Gateway {
  return new Gateway({
    session: {
      ...parts,
      authTimeoutMs: config.AUTH_TIMEOUT_MS,
      commandRate: config.COMMAND_RATE,
      maxSubscriptions: config.MAX_SUBSCRIPTIONS,
      maxInFlightPublishes: config.MAX_IN_FLIGHT_PUBLISHES,
      maxPayloadBytes: config.MAX_PAYLOAD_BYTES,
      heartbeatIntervalMs: config.HEARTBEAT_INTERVAL_MS,
      heartbeatTimeoutMs: config.HEARTBEAT_TIMEOUT_MS,
    },
    allowedOrigins: config.ALLOWED_ORIGINS,
    maxConnections: config.MAX_CONNECTIONS,
    acceptRate: config.ACCEPT_RATE,
    allowQueryToken: config.AUTH_QUERY_TOKEN,
    highWaterBytes: config.SEND_HIGH_WATER_BYTES,
    slowConsumerMaxMs: config.SLOW_CONSUMER_MAX_MS,
    drainRate: config.DRAIN_RATE,
    onDrainProgress: ({ total, remaining, seconds }) =>
      log.info({ connections: total, remaining, seconds: Math.round(seconds) }, 'Drain.'),
  });
}

type HttpParts = Pick<
  HttpOptions,
  'nodeId' | 'authenticator' | 'publisher' | 'history' | 'metrics' | 'log' | 'readiness'
>;

export function createHttp(config: Config, parts: HttpParts): Promise<FastifyInstance> {
  return createHttpApp({
    ...parts,
    version: VERSION,
    maxPayloadBytes: config.MAX_PAYLOAD_BYTES,
    maxConnections: config.MAX_CONNECTIONS + config.MAX_HTTP_CONNECTIONS,
    keepAliveMs: config.HTTP_KEEP_ALIVE_MS,
    allowedOrigins: config.ALLOWED_ORIGINS,
    demoPage: config.DEMO_PAGE,
  });
}
