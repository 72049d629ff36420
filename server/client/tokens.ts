/**
 * The token of the application, cached until the server refuses it or it expires.
 * Must never parse a token: only the server decides whether it is valid.
 */
import { toHoldfastError } from './errors.ts';
import type { TokenOption } from './types.ts';

export class TokenSource {
  readonly #option: TokenOption;
  #cached: string | null = null;
  /** A fresh token was requested since the server last accepted one. The next refusal is final. */
  #refreshed = false;

  constructor(option: TokenOption) {
    this.#option = option;
  }

  /** @throws HoldfastError `token_failed` when the token function throws; a HoldfastError that it throws is passed on unchanged */
  async get(): Promise<string> {
    if (typeof this.#option === 'string') return this.#option;
    if (this.#cached !== null) return this.#cached;
    try {
      this.#cached = await this.#option();
      return this.#cached;
    } catch (thrown) {
      throw toHoldfastError(thrown, 'token_failed');
    }
  }

  accepted(): void {
    this.#refreshed = false;
  }

  /** The token expired on an open connection. The next `get` requests a new one; this does not count as a refusal. */
  expired(): void {
    this.#cached = null;
  }

  /** The server refused the token. Returns true when one more attempt, with a fresh token, is worth making. */
  refused(): boolean {
    this.#cached = null;
    if (typeof this.#option === 'string' || this.#refreshed) return false;
    this.#refreshed = true;
    return true;
  }
}
