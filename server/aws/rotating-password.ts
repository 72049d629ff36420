/**
 * The password of a database that changes it by itself, asked for by each new connection. Kept for a moment, so that a
 * pool that opens is one question; while the secret cannot be read, the last one that was read is tried.
 */

export interface RotatingPasswordOptions {
  /** The secret's text: `{"username", "password"}`, as RDS writes it. */
  readonly read: () => Promise<string>;
  /** The secret could not be read, and an older password is tried instead. */
  readonly onStale: (error: unknown) => void;
  readonly now?: () => number;
}

/**
 * How long a password is kept, milliseconds: the longest time that new connections are refused after a rotation. Secrets
 * Manager is asked at most this often, and only while connections open.
 */
export const PASSWORD_KEPT_MS = 10_000;

/** The returned function throws when there never was a password to be read. Calls at the same time share one question. */
export function createRotatingPassword(options: RotatingPasswordOptions): () => Promise<string> {
  const { read, onStale, now = Date.now } = options;
  let last: { readonly password: string; readonly at: number } | undefined;
  let asking: Promise<string> | undefined;

  async function ask(): Promise<string> {
    try {
      last = { password: passwordIn(await read()), at: now() };
    } catch (error) {
      if (!last) throw error;
      onStale(error);
    }
    return last.password;
  }

  return async () => {
    if (last && now() - last.at < PASSWORD_KEPT_MS) return last.password;
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  };
}

/** @throws Error that shows nothing of the text */
function passwordIn(text: string): string {
  let password: unknown;
  try {
    ({ password } = JSON.parse(text));
  } catch {
    throw new Error('The database’s secret is not JSON');
  }
  if (typeof password !== 'string' || password === '') throw new Error('The database’s secret has no password');
  return password;
}
