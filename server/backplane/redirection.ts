/** What a server of a Redis Cluster answers when another has the key: `MOVED 3999 host:6381`, `ASK 3999 host:6381`. Pure. */

export interface Redirection {
  /** `ask`: this once, as the slot is on its way there. */
  readonly kind: 'moved' | 'ask';
  /** `host:port`; without the host it is the same as that of the server that said so. */
  readonly address: string;
}

/** Undefined for any other error. */
export function redirectionOf(error: unknown): Redirection | undefined {
  const [, kind, address] = /^(MOVED|ASK) \d+ (\S*:\d+)/.exec(error instanceof Error ? error.message : '') ?? [];
  if (kind === undefined || address === undefined) return undefined;
  return { kind: kind === 'ASK' ? 'ask' : 'moved', address };
}

export function isMoved(error: unknown): boolean {
  return redirectionOf(error)?.kind === 'moved';
}
