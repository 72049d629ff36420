/** Which channels a token permits: the patterns of its `channels` claim. Pure. */

/**
 * Patterns such as `["room:*", "inbox:{user}"]`: `*` stands for any characters, also none; `{user}` for the `sub` of the
 * token. An absent list permits nothing.
 */
export interface ChannelClaims {
  readonly subscribe?: readonly string[];
  readonly publish?: readonly string[];
}

export interface Permissions {
  maySubscribe(channel: string): boolean;
  mayPublish(channel: string): boolean;
}

/** Most patterns per list: each check of a channel tries them in turn. */
export const PATTERNS_MAX = 100;

export function compilePermissions(claims: ChannelClaims, user: string): Permissions {
  return { maySubscribe: compile(claims.subscribe ?? [], user), mayPublish: compile(claims.publish ?? [], user) };
}

function compile(patterns: readonly string[], user: string): (channel: string) => boolean {
  // Splitting at `*` comes first, so that a star in the user's name is not a wildcard. The replacement is a function,
  // because replaceAll would interpret `$'` and the like in a string.
  const parts = patterns.map((pattern) => pattern.split('*').map((piece) => piece.replaceAll('{user}', () => user)));
  return (channel) => parts.some((pieces) => matches(pieces, channel));
}

/** Whether the pieces between the stars occur in order, the first at the start and the last at the end. Without backtracking. */
function matches(pieces: readonly string[], channel: string): boolean {
  const [first = '', ...rest] = pieces;
  if (rest.length === 0) return channel === first;
  if (!channel.startsWith(first)) return false;
  let at = first.length;
  const last = rest.at(-1) as string;
  for (const piece of rest.slice(0, -1)) {
    const found = channel.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return channel.length - last.length >= at && channel.endsWith(last);
}
