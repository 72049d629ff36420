/** Which server of a Redis Cluster has what: keys and channels hash to 16,384 slots, and each slot has one primary. Pure. */
import slotOf from 'cluster-key-slot';

export const SLOTS = 16_384;

/** `host:port` of the primary of each slot. */
export type SlotMap = readonly string[];

export interface ReadOptions {
  /** Of the server that was asked: some do not know their own name. */
  readonly host: string;
  /** With TLS: certificates name hosts, not addresses. */
  readonly preferHostname: boolean;
}

/**
 * Reads the reply to CLUSTER SLOTS: `[first, last, [host, port, id, [name, value, …]], …replicas]` for each range.
 * @throws Error when slots are without a server, or the reply is another
 */
export function readSlots(reply: unknown, options: ReadOptions): SlotMap {
  const owners = Array.from<string>({ length: SLOTS });
  for (const range of Array.isArray(reply) ? reply : []) {
    const [first, last, primary] = range as [number, number, unknown];
    owners.fill(addressOf(primary, options), first, last + 1);
  }
  const uncovered = owners.filter((owner) => owner === undefined).length;
  if (uncovered > 0) throw new Error(`The Redis Cluster is not complete: ${uncovered} of its slots have no server.`);
  return owners;
}

function addressOf(server: unknown, { host: asked, preferHostname }: ReadOptions): string {
  const [endpoint, port, , metadata] = server as [string | null, number, string, readonly string[] | undefined];
  const at = metadata?.indexOf('hostname') ?? -1;
  const hostname = preferHostname && at >= 0 ? metadata?.[at + 1] : undefined;
  // Redis writes "?" for a hostname that should be known and is not.
  const host = [hostname, endpoint].find((name) => name && name !== '?') ?? asked;
  return `${host}:${port}`;
}

export function serverOf(map: SlotMap, name: string): string {
  return map[slotOf(name)] as string;
}

/** Servers whose slots are not the same in both; all when there was no map before. */
export function changedServers(before: SlotMap | undefined, after: SlotMap): Set<string> {
  const changed = new Set<string>();
  for (let slot = 0; slot < SLOTS; slot++) {
    if (before?.[slot] === after[slot]) continue;
    if (before) changed.add(before[slot] as string);
    changed.add(after[slot] as string);
  }
  return changed;
}

/** A name that begins with `stem` and lives on this server, which must have a slot: one in 16,384 names hits it even then. */
export function nameOn(map: SlotMap, server: string, stem: string): string {
  for (let i = 0; ; i++) if (serverOf(map, stem + i) === server) return stem + i;
}
