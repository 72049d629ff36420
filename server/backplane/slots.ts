/**
 * The slot map of a Redis Cluster: keys and channels hash to 16,384 slots, and each slot has one primary. Reads the reply to
 * CLUSTER SLOTS, compares maps, and finds the channels that change servers. Pure.
 */
import slotOf from 'cluster-key-slot';

export const SLOTS = 16_384;

export interface SlotMap {
  /** `host:port` of the primary of each slot. */
  readonly owners: readonly string[];
  /** Two maps with the same owners have the same key. */
  readonly key: string;
}

export interface ReadOptions {
  /** Host of the server that replied. It stands in for a server that reports no host of its own. */
  readonly host: string;
  /** Use hostnames where the server reports them: with TLS, certificates name hosts and not addresses. */
  readonly preferHostname: boolean;
}

/**
 * Reads the reply to CLUSTER SLOTS: `[first, last, [host, port, id, [name, value, …]], …replicas]` for each range.
 * @throws Error if a slot has no server, or a server no host
 */
export function readSlots(reply: unknown, options: ReadOptions): SlotMap {
  const owners = Array.from<string>({ length: SLOTS });
  const ranges: string[] = [];
  for (const range of Array.isArray(reply) ? reply : []) {
    const [first, last, primary] = range as [number, number, unknown];
    const owner = addressOf(primary, options);
    owners.fill(owner, first, last + 1);
    ranges.push(`${first}-${last} ${owner}`);
  }
  const uncovered = owners.filter((owner) => owner === undefined).length;
  if (uncovered > 0) throw new Error(`The Redis Cluster is not complete: ${uncovered} of its slots have no server.`);
  return { owners, key: ranges.sort().join() };
}

/** Redis reports this instead of a hostname that is not configured. */
const UNKNOWN = '?';

function addressOf(server: unknown, { host: repliedFrom, preferHostname }: ReadOptions): string {
  const [endpoint, port, , metadata = []] = server as [string | null, number, string, readonly string[] | undefined];
  const value = (name: string) => {
    const at = metadata.indexOf(name);
    return at < 0 || metadata[at + 1] === UNKNOWN ? undefined : metadata[at + 1];
  };
  const host = (preferHostname && value('hostname')) || (endpoint === UNKNOWN ? value('ip') : endpoint || repliedFrom);
  if (!host) throw new Error(`The Redis Cluster reports no host for its server at port ${port}.`);
  return `${host}:${port}`;
}

/**
 * The map that most servers report, so that a server that is cut off from the others is outvoted. In a tie, `current` wins
 * if it is among the winners, otherwise the first.
 */
export function mostCommon(maps: readonly SlotMap[], current: SlotMap | undefined): SlotMap | undefined {
  const votes = new Map<string, number>();
  for (const { key } of maps) votes.set(key, (votes.get(key) ?? 0) + 1);
  const most = Math.max(...votes.values());
  const winners = maps.filter(({ key }) => votes.get(key) === most);
  return winners.find(({ key }) => key === current?.key) ?? winners[0];
}

/**
 * A name with the prefix `stem` whose slot `server` owns. Terminates if the server owns a slot: even with a single one, about
 * one name in 16,384 hashes to it.
 */
export function nameOn({ owners }: SlotMap, server: string, stem: string): string {
  for (let i = 0; ; i++) if (owners[slotOf(stem + i)] === server) return stem + i;
}

/** The channels that one server gains and releases with a new slot map. */
export interface Reassignment {
  readonly gained: string[];
  readonly released: string[];
}

/** By server. `slots` holds the slot of each channel. Without `from`, every channel is gained and none released. */
export function reassignments(
  slots: ReadonlyMap<string, number>,
  from: SlotMap | undefined,
  to: SlotMap,
): ReadonlyMap<string, Reassignment> {
  const byServer = new Map<string, Reassignment>();
  const at = (server: string): Reassignment => {
    const reassignment = byServer.get(server) ?? { gained: [], released: [] };
    byServer.set(server, reassignment);
    return reassignment;
  };
  for (const [name, slot] of slots) {
    const [previous, owner] = [from?.owners[slot], to.owners[slot]];
    if (previous === owner) continue;
    if (previous !== undefined) at(previous).released.push(name);
    if (owner !== undefined) at(owner).gained.push(name);
  }
  return byServer;
}
