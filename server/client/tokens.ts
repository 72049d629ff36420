/**
 * The token of the application: kept while the server accepts it, asked for again once it is refused.
 * Never looks inside: whether a token is good is for the server to say.
 */
import { toHoldfastError } from './errors.ts';
import type { TokenOption } from './types.ts';

export class TokenSource {
  readonly #option: TokenOption;
  #kept: string | null = null;
  /** A fresh token was asked for since the server last accepted one; the next refusal is final. */
  #refreshed = false;

  constructor(option: TokenOption) {
    this.#option = option;
  }

  /** @throws HoldfastError `token_failed` when the token function fails; what it throws itself as HoldfastError is kept */
  async get(): Promise<string> {
    if (typeof this.#option === 'string') return this.#option;
    if (this.#kept !== null) return this.#kept;
    try {
      this.#kept = await this.#option();
      return this.#kept;
    } catch (thrown) {
      throw toHoldfastError(thrown, 'token_failed');
    }
  }

  accepted(): void {
    this.#refreshed = false;
  }

  /** The token ran out in use; the next one is a new one. That is no refusal. */
  expired(): void {
    this.#kept = null;
  }

  /** The server refused the token. Answers whether another try makes sense: once, with a fresh token. */
  refused(): boolean {
    this.#kept = null;
    if (typeof this.#option === 'string' || this.#refreshed) return false;
    this.#refreshed = true;
    return true;
  }
}
