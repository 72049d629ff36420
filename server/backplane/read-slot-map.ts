/** Reads the slot map from the servers of a Redis Cluster. */
import type { Redis } from 'ioredis';
import { mostCommon, readSlots, type SlotMap } from './slots.ts';

/** A configuration error: a retry is useless. */
export const NOT_A_CLUSTER = new Error(
  'REDIS_CLUSTER is true, but REDIS_URL leads to a Redis without cluster mode. Set it to false.',
);

/**
 * The map that most of the connected servers report; `current` wins a tie. The seed is asked only if none of them answers.
 * @throws NOT_A_CLUSTER, or another error if the seed does not answer either
 */
export async function readSlotMap(
  servers: readonly Redis[],
  seed: Redis,
  current: SlotMap | undefined,
): Promise<SlotMap> {
  const reports = await Promise.all(servers.map((redis) => readFrom(redis).catch(() => undefined)));
  const map = mostCommon(
    reports.filter((report) => report !== undefined),
    current,
  );
  return map ?? (await readFromSeed(seed));
}

async function readFromSeed(seed: Redis): Promise<SlotMap> {
  try {
    return await readFrom(seed);
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    if (message.includes('cluster support disabled')) throw NOT_A_CLUSTER;
    // The server hangs. A new connection resolves the host name again, which may lead to another server.
    if (message === 'Command timed out') seed.disconnect(true);
    throw error;
  }
}

async function readFrom(redis: Redis): Promise<SlotMap> {
  const { host = '', tls } = redis.options;
  return readSlots(await redis.cluster('SLOTS'), { host, preferHostname: tls !== undefined });
}
