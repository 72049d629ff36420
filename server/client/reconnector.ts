/**
 * Keeps one connection open, with backoff between attempts, until `stop()` or a permanent error. Owns the state of the
 * client and decides from close codes and errors whether to reconnect. Must never handle channels or publishes.
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
  loadWebSocket: () => Promise<WebSocketConstructor>;
  openTimeoutMs: number;
  backoff: Backoff;
  random: () => number;
}

export interface ReconnectorHandlers {
  onState(state: ClientState): void;
  onWelcome(welcome: Welcome): void;
  /** Receives every frame except `welcome`, heartbeats and `reconnect`. */
  onFrame(frame: Push): void;
  /** A connection that had its `welcome` is gone. Another one may follow. */
  onDown(): void;
  /** A temporary error. The next attempt is scheduled. */
  onError(error: HoldfastError): void;
  /** A permanent error. No attempt follows. */
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
  /** Aborts the ticket request of the current attempt and marks its result as stale. */
  #attempt: AbortController | null = null;
  /** Timer of the next attempt, or of the reconnect that a draining server asked for. */
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

  /** Does nothing when the client is already running. */
  start(): void {
    if (this.#state === 'idle' || this.#state === 'closed') void this.#open();
  }

  stop(): void {
    this.#drop();
    this.#setState('closed');
  }

  /** Returns whether the frame was sent. */
  send(frame: string): boolean {
    return this.#state === 'connected' && this.#connection?.send(frame) === true;
  }

  async #open(): Promise<void> {
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#setState('connecting');
    try {
      // Before the ticket, which is single-use and expires after ten seconds.
      const Socket = await this.#options.loadWebSocket();
      const access = await obtainAccess(this.#options.access, this.#options.tokens, attempt.signal);
      if (attempt.signal.aborted) return;
      this.#connection = new ClientConnection(Socket, access, this.#options.openTimeoutMs, {
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
    // A listener of `state` may have closed the client.
    if (this.#welcome === welcome) this.#handlers.onWelcome(welcome);
  }

  #ended({ code, reason, upMs }: ConnectionEnd): void {
    const { tokens, backoff } = this.#options;
    this.#drop();
    backoff.ended(upMs);
    if (code === TOKEN_EXPIRED) tokens.expired();
    const again = code === AUTH_FAILED ? tokens.refused() : shouldReconnect(code);
    const message = `The connection ended with close code ${code}${reason ? `: ${reason}` : '.'}`;
    this.#failed(new HoldfastError(again ? 'connection_lost' : refusal(code), message, { closeCode: code }));
  }

  /** Schedules the next attempt after a temporary error; stops after a permanent one. */
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

  /** The server is draining. Reconnect at a random moment within `after_ms`, so that its clients do not all move at once. */
  #moveLater({ after_ms }: Reconnect): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#drop();
      void this.#open();
    }, this.#options.random() * after_ms);
  }

  /** Ends the connection, the current attempt and the timer. */
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
