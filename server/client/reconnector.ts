/**
 * Keeps one connection open: tries, waits, tries again, and knows when to give up. Owns the client's state and decides
 * from close codes and errors what comes next. Never looks into channels or publishes.
 */
import { shouldReconnect } from '../protocol/codes.ts';
import type { Push, Reconnect, Welcome } from '../protocol/messages.ts';
import { type AccessOptions, obtainAccess } from './access.ts';
import type { Backoff } from './backoff.ts';
import { ClientConnection, type ConnectionEnd } from './connection.ts';
import { HoldfastError, toHoldfastError } from './errors.ts';
import type { TokenSource } from './tokens.ts';
import type { ClientState, WebSocketConstructor } from './types.ts';

export interface ReconnectorOptions {
  access: AccessOptions;
  tokens: TokenSource;
  WebSocket: WebSocketConstructor;
  openTimeoutMs: number;
  backoff: Backoff;
  random: () => number;
}

export interface ReconnectorHandlers {
  onState(state: ClientState): void;
  onWelcome(welcome: Welcome): void;
  /** Everything but `welcome`, heartbeats and `reconnect`. */
  onFrame(frame: Push): void;
  /** The connection is gone; another may follow. */
  onDown(): void;
  /** Something failed that the session copes with. */
  onError(error: HoldfastError): void;
  /** The session gave up. */
  onGaveUp(error: HoldfastError): void;
}

const AUTH_FAILED = 1008;
const TOKEN_EXPIRED = 4001;

export class Reconnector {
  readonly #options: ReconnectorOptions;
  readonly #handlers: ReconnectorHandlers;
  #state: ClientState = 'idle';
  #welcome: Welcome | null = null;
  #connection: ClientConnection | null = null;
  /** Ends the ticket request of the present try, and marks its result as stale. */
  #attempt: AbortController | null = null;
  /** The next try, or the reconnect that the server asked for. */
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ReconnectorOptions, handlers: ReconnectorHandlers) {
    this.#options = options;
    this.#handlers = handlers;
  }

  get state(): ClientState {
    return this.#state;
  }

  get welcome(): Welcome | null {
    return this.#welcome;
  }

  /** Does nothing when it is running already. */
  start(): void {
    if (this.#state === 'idle' || this.#state === 'closed') void this.#open();
  }

  stop(): void {
    this.#drop();
    this.#setState('closed');
  }

  /** Sends when connected; answers whether it did. */
  send(frame: string): boolean {
    return this.#state === 'connected' && this.#connection?.send(frame) === true;
  }

  async #open(): Promise<void> {
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#setState('connecting');
    try {
      const access = await obtainAccess(this.#options.access, this.#options.tokens, attempt.signal);
      if (attempt.signal.aborted) return;
      this.#connection = new ClientConnection(this.#options.WebSocket, access, this.#options.openTimeoutMs, {
        onWelcome: (welcome) => this.#welcomed(welcome),
        onFrame: (frame) => (frame.type === 'reconnect' ? this.#moveLater(frame) : this.#handlers.onFrame(frame)),
        onEnd: (end) => this.#ended(end),
      });
    } catch (thrown) {
      if (!attempt.signal.aborted) this.#failed(toHoldfastError(thrown, 'refused'));
    }
  }

  #welcomed(welcome: Welcome): void {
    this.#welcome = welcome;
    this.#options.tokens.accepted();
    this.#setState('connected');
    // A state listener may have closed the client.
    if (this.#welcome === welcome) this.#handlers.onWelcome(welcome);
  }

  #ended({ code, reason, upMs }: ConnectionEnd): void {
    const { tokens, backoff } = this.#options;
    this.#drop();
    backoff.ended(upMs);
    if (code === TOKEN_EXPIRED) tokens.expired();
    const again = code === AUTH_FAILED ? tokens.refused() : shouldReconnect(code);
    const what = `The connection ended with ${code}${reason ? `: ${reason}` : '.'}`;
    this.#failed(new HoldfastError(again ? 'connection_lost' : refusal(code), what, { closeCode: code }));
  }

  /** Waits and tries again, or gives up, as the error says. */
  #failed(error: HoldfastError): void {
    if (!error.temporary) {
      this.#drop();
      this.#setState('closed');
      this.#handlers.onGaveUp(error);
      return;
    }
    this.#timer = setTimeout(() => void this.#open(), this.#options.backoff.next(error.retryAfterMs));
    this.#setState('waiting');
    this.#handlers.onError(error);
  }

  /** The server drains: leave at a random moment of the time it gave, so that its clients do not all move at once. */
  #moveLater({ after_ms }: Reconnect): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#drop();
      void this.#open();
    }, this.#options.random() * after_ms);
  }

  /** Lets go of the connection, the try and the timer, whichever there are. */
  #drop(): void {
    clearTimeout(this.#timer);
    this.#attempt?.abort();
    this.#attempt = null;
    this.#connection?.close();
    this.#connection = null;
    const wasUp = this.#welcome !== null;
    this.#welcome = null;
    if (wasUp) this.#handlers.onDown();
  }

  #setState(state: ClientState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#handlers.onState(state);
  }
}

function refusal(code: number): 'unauthenticated' | 'refused' {
  return code === AUTH_FAILED ? 'unauthenticated' : 'refused';
}
