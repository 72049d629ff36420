/** The errors by which a server of a Redis Cluster refuses a key or channel, for example `MOVED 3999 host:6381`. Pure. */

export interface Redirection {
  /** `moved`: the slot has another owner. `ask`: the slot is being migrated, and only this command goes to the other server. */
  readonly kind: 'moved' | 'ask';
  /** `host:port` */
  readonly address: string;
}

/**
 * Undefined for other errors. `repliedFrom` is the server that replied, `host:port`; its host stands in for an empty one in the
 * reply.
 */
export function redirectionOf(error: unknown, repliedFrom: string): Redirection | undefined {
  const [, kind, host, port] = /^(MOVED|ASK) \d+ (\S*):(\d+)/.exec(error instanceof Error ? error.message : '') ?? [];
  if (kind === undefined) return undefined;
  const address = `${host || repliedFrom.slice(0, repliedFrom.lastIndexOf(':'))}:${port}`;
  return { kind: kind === 'ASK' ? 'ask' : 'moved', address };
}

export function isMoved(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('MOVED');
}

/** Some slots have no server: every server refuses writes, but still delivers messages. */
export function isClusterDown(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('CLUSTERDOWN');
}
