/**
 * The database password that RDS rotates, requested by each new connection. It is cached for 10 s, so that the opening of a
 * pool causes one read. While the secret cannot be read, the last password that was read is used.
 */

export interface RotatingPasswordOptions {
  /** Reads the text of the secret: `{"username", "password"}`, as RDS writes it. */
  readonly read: () => Promise<string>;
  /** The secret could not be read; the last password is used instead. */
  readonly onStale: (error: unknown) => void;
  readonly now?: () => number;
}

/**
 * Time for which a password is cached, milliseconds. It is also the shortest time between two successful reads, and the
 * longest time after a rotation in which new connections are refused.
 */
export const PASSWORD_CACHED_MS = 10_000;

/** The returned function throws when no password has ever been read. Concurrent calls share one read (single-flight). */
export function createRotatingPassword(options: RotatingPasswordOptions): () => Promise<string> {
  const { read, onStale, now = Date.now } = options;
  let last: { readonly password: string; readonly at: number } | undefined;
  let inFlight: Promise<string> | undefined;

  async function readSecret(): Promise<string> {
    try {
      last = { password: passwordIn(await read()), at: now() };
    } catch (error) {
      if (!last) throw error;
      onStale(error);
    }
    return last.password;
  }

  return async () => {
    if (last && now() - last.at < PASSWORD_CACHED_MS) return last.password;
    inFlight ??= readSecret().finally(() => {
      inFlight = undefined;
    });
    return inFlight;
  };
}

/** @throws Error that contains no part of the text */
function passwordIn(text: string): string {
  let password: unknown;
  try {
    ({ password } = JSON.parse(text));
  } catch {
    throw new Error('The database secret is not JSON');
  }
  if (typeof password !== 'string' || password === '') throw new Error('The database secret has no password');
  return password;
}
