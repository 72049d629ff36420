/** The access string of the nodes' Redis user: which keys, channels and commands a node may use. Pure. */

/**
 * Only keys and channels below `holdfast:`, and no dangerous command except INFO, which the Redis client sends first.
 */
export const SERVER_ACCESS = 'on ~holdfast:* &holdfast:* -@all +@read +@write +@pubsub +@connection -@dangerous +info';

/** In cluster mode a node also reads the slot map. */
export const CLUSTER_ACCESS = `${SERVER_ACCESS} +cluster|slots`;
