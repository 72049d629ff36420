/** Settings of client connections: how many, how fast, how large, and when the node closes one. */
import { count, integer, milliseconds, type Values } from '../env.ts';

const payloadBytes = integer(256, 16_777_216);
const highWaterBytes = integer(1_024, 67_108_864);

export const CONNECTIONS = {
  MAX_PAYLOAD_BYTES: payloadBytes({ default: 65_536, desc: 'Largest WebSocket message or HTTP body, in bytes.' }),
  MAX_CONNECTIONS: count({
    default: 50_000,
    desc: 'WebSocket connections that this node accepts; it answers further ones with 503. Keep it well above the connections per node at which autoscaling adds nodes.',
  }),
  MAX_HTTP_CONNECTIONS: count({
    default: 1_000,
    desc: 'TCP connections that this node accepts in addition to MAX_CONNECTIONS, for requests, health checks and upgrades in progress.',
  }),
  MAX_CONNECTIONS_PER_USER: count({ default: 50, desc: 'Connections that one user may have on this node.' }),
  MAX_SUBSCRIPTIONS: count({ default: 200, desc: 'Subscriptions that one connection may have.' }),
  ACCEPT_RATE: count({
    default: 1_000,
    desc: 'New WebSocket connections per second that this node accepts. It answers the others with 503 and staggered Retry-After values.',
  }),
  COMMAND_RATE: count({
    default: 200,
    desc: 'Commands per second that one connection may send. Bursts may be twice that.',
  }),
  PUBLISH_RATE_PER_USER: count({
    default: 500,
    desc: 'Publishes per second of one user on this node, over all its connections and requests. Bursts may be twice that.',
  }),
  MAX_IN_FLIGHT_PUBLISHES: count({
    default: 1_000,
    desc: 'Publishes of one connection that may wait for their ack at the same time.',
  }),
  HTTP_KEEP_ALIVE_MS: milliseconds({
    default: 65_000,
    desc: 'Time after which the node closes an idle HTTP connection, in ms. Keep it above the idle timeout of the load balancer (usually 60 s): a load balancer that reuses a connection just closed by the node answers its client with an error.',
  }),
  HEARTBEAT_INTERVAL_MS: milliseconds({
    default: 30_000,
    desc: 'Time between two pings on a connection, in ms. Keep it below the idle timeout of the load balancer.',
  }),
  HEARTBEAT_TIMEOUT_MS: milliseconds({
    default: 10_000,
    desc: 'Longest wait for a pong, in ms. The node then closes the connection. Must be below HEARTBEAT_INTERVAL_MS.',
  }),
  SEND_HIGH_WATER_BYTES: highWaterBytes({
    default: 262_144,
    desc: 'High-water mark: unsent bytes of a connection at which its subscriptions stop being live and catch up later. Also the most that the node writes to a connection at once.',
  }),
  SLOW_CONSUMER_MAX_MS: milliseconds({
    default: 30_000,
    desc: 'Longest time that a connection may have unsent bytes above the high-water mark, in ms. The node then closes it with 4000.',
  }),
};

/** What is wrong between these settings. */
export function connectionProblems({
  HEARTBEAT_INTERVAL_MS,
  HEARTBEAT_TIMEOUT_MS,
}: Values<typeof CONNECTIONS>): string[] {
  if (HEARTBEAT_TIMEOUT_MS < HEARTBEAT_INTERVAL_MS) return [];
  return ['HEARTBEAT_TIMEOUT_MS must be below HEARTBEAT_INTERVAL_MS.'];
}
