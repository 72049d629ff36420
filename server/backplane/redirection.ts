/** What a server of a Redis Cluster answers when another has the key: `MOVED 3999 host:6381`, `ASK 3999 host:6381`. Pure. */

export interface Redirection {
  /** `ask`: this once, as the slot is on its way there. */
  readonly kind: 'moved' | 'ask';
  /** `host:port` */
  readonly address: string;
}

/** Undefined for any other error. `asked` is the server that said so, `host:port`: one without a host means the same. */
export function redirectionOf(error: unknown, asked: string): Redirection | undefined {
  const [, kind, host, port] = /^(MOVED|ASK) \d+ (\S*):(\d+)/.exec(error instanceof Error ? error.message : '') ?? [];
  if (kind === undefined) return undefined;
  const address = `${host || asked.slice(0, asked.lastIndexOf(':'))}:${port}`;
  return { kind: kind === 'ASK' ? 'ask' : 'moved', address };
}

export function isMoved(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('MOVED');
}

/** A part of the slots has no server: writes are refused by all, Pub/Sub is not. */
export function isClusterDown(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('CLUSTERDOWN');
}
