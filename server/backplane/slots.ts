/** Which server of a Redis Cluster has what: keys and channels hash to 16,384 slots, and each slot has one primary. Pure. */
import slotOf from 'cluster-key-slot';

export const SLOTS = 16_384;

export interface SlotMap {
  /** `host:port` of the primary of each slot. */
  readonly owners: readonly string[];
  /** The same for the same owners. */
  readonly key: string;
}

export interface ReadOptions {
  /** Of the server that was asked: one that does not know its own name means this. */
  readonly host: string;
  /** With TLS: certificates name hosts, not addresses. */
  readonly preferHostname: boolean;
}

/**
 * Reads the reply to CLUSTER SLOTS: `[first, last, [host, port, id, [name, value, …]], …replicas]` for each range.
 * @throws Error when slots are without a server, or a server without a name
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

/** What Redis writes for a hostname that a server should have and has not. */
const UNKNOWN = '?';

function addressOf(server: unknown, { host: asked, preferHostname }: ReadOptions): string {
  const [endpoint, port, , metadata = []] = server as [string | null, number, string, readonly string[] | undefined];
  const value = (name: string) => {
    const at = metadata.indexOf(name);
    return at < 0 || metadata[at + 1] === UNKNOWN ? undefined : metadata[at + 1];
  };
  const host = (preferHostname && value('hostname')) || (endpoint === UNKNOWN ? value('ip') : endpoint || asked);
  if (!host) throw new Error(`The Redis Cluster does not say where its server at port ${port} is.`);
  return `${host}:${port}`;
}

/** What most say; `current` when as many say that, and the first otherwise. One that is cut off from the rest is outvoted. */
export function mostCommon(maps: readonly SlotMap[], current: SlotMap | undefined): SlotMap | undefined {
  const votes = new Map<string, number>();
  for (const { key } of maps) votes.set(key, (votes.get(key) ?? 0) + 1);
  const most = Math.max(...votes.values());
  const winners = maps.filter(({ key }) => votes.get(key) === most);
  return winners.find(({ key }) => key === current?.key) ?? winners[0];
}

/** A name that begins with `stem` and lives on this server, which must have a slot: one in 16,384 names hits it even then. */
export function nameOn({ owners }: SlotMap, server: string, stem: string): string {
  for (let i = 0; ; i++) if (owners[slotOf(stem + i)] === server) return stem + i;
}
