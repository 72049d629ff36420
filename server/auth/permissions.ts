/** Which channels a token permits: patterns in its claims, compiled once per session. Pure. */

/**
 * `*` stands for any run of characters, `{user}` for the token's own subject: `["room:*", "inbox:{user}"]`.
 * Absent means: nothing. A token says what it permits.
 */
export interface ChannelClaims {
  readonly subscribe?: readonly string[];
  readonly publish?: readonly string[];
}

export interface Permissions {
  maySubscribe(channel: string): boolean;
  mayPublish(channel: string): boolean;
}

export const PATTERNS_MAX = 100;

export function compilePermissions(claims: ChannelClaims, user: string): Permissions {
  return { maySubscribe: compile(claims.subscribe ?? [], user), mayPublish: compile(claims.publish ?? [], user) };
}

function compile(patterns: readonly string[], user: string): (channel: string) => boolean {
  // Split first: a star in a user's name is no wildcard. By a function: in a text, `$'` and the like would have a meaning.
  const parts = patterns.map((pattern) => pattern.split('*').map((piece) => piece.replaceAll('{user}', () => user)));
  return (channel) => parts.some((pieces) => matches(pieces, channel));
}

/** Pieces between the stars must occur in order, the first at the begin and the last at the end. No regular expression: no backtracking. */
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
