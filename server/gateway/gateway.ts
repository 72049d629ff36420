/**
 * The WebSocket edge of a node: takes upgrade requests, keeps the registry of connections, and closes slow consumers and
 * expired sessions. Wires admission, connection and session together; never handles a command or writes a frame itself.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Principal } from '../auth/authenticator.ts';
import { AppError, toAppError } from '../errors.ts';
import { SUBPROTOCOL } from '../protocol/messages.ts';
import { CLOSE_LABELS } from '../telemetry/catalogue.ts';
import { Admission, answerRefusal, type Credential } from './admission.ts';
import { Connection } from './connection.ts';
import { type DrainProgress, drain } from './drain.ts';
import { Heartbeat } from './heartbeat.ts';
import { Session } from './session.ts';
import type { SessionContext } from './session-context.ts';

export interface GatewayOptions {
  readonly session: SessionContext;
  readonly allowedOrigins: readonly string[];
  readonly maxConnections: number;
  readonly acceptRate: number;
  readonly allowQueryToken: boolean;
  readonly highWaterBytes: number;
  readonly slowConsumerMaxMs: number;
  readonly drainRate: number;
  readonly onDrainProgress: (progress: DrainProgress) => void;
}

/** How often the gateway looks for slow consumers and expired tokens. */
const SWEEP_MS = 1_000;

export class Gateway {
  private readonly options: GatewayOptions;
  private readonly wss: WebSocketServer;
  private readonly admission: Admission;
  private readonly heartbeat: Heartbeat<Connection>;
  private readonly connections = new Set<Connection>();
  private readonly sessions = new Map<Connection, Session>();
  private readonly behind = new Set<Connection>();
  private readonly sweeper: NodeJS.Timeout;
  /** Upgrades that are being authenticated. They count as connections, so that many at once cannot exceed the limit. */
  private arriving = 0;
  private draining = false;
  private drained: Promise<void> | undefined;
  /** Deadline of the drain, `performance.now()` milliseconds. */
  private drainBy = Number.POSITIVE_INFINITY;
  /** Connections accepted so far; part of the connection id. */
  private accepted = 0;

  constructor(options: GatewayOptions) {
    this.options = options;
    const { session } = options;
    this.wss = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: session.maxPayloadBytes,
      // A fragment costs more memory than its bytes, and no correct client needs this many for one message.
      maxFragments: 1_024,
      // Off: compression contexts cost memory per connection (ws issue 1202), and fan-out writes one buffer to all connections.
      perMessageDeflate: false,
      handleProtocols: () => SUBPROTOCOL,
    });
    this.admission = new Admission(options);
    this.heartbeat = new Heartbeat({ intervalMs: session.heartbeatIntervalMs, timeoutMs: session.heartbeatTimeoutMs });
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MS);
    this.sweeper.unref();
    this.observe();
  }

  get connectionCount(): number {
    return this.connections.size;
  }

  get isDraining(): boolean {
    return this.draining;
  }

  get isFull(): boolean {
    return this.connections.size + this.arriving >= this.options.maxConnections;
  }

  attach(server: Server): void {
    server.on('upgrade', (request, socket, head) => {
      this.upgrade(request, socket, head).catch((error: unknown) => {
        this.options.session.metrics.add('holdfast.handshakes', 1, { result: 'failed' });
        this.options.session.onError('A WebSocket upgrade failed with an unexpected error.', error);
        socket.destroy();
      });
    });
  }

  /**
   * Refuses new connections from now on, and drains the open ones. Resolves when they are closed. Further calls join the
   * same drain; the earliest deadline of all calls counts.
   */
  drain(timeoutMs: number): Promise<void> {
    const { drainRate: rate, onDrainProgress: onProgress } = this.options;
    this.draining = true;
    this.drainBy = Math.min(this.drainBy, performance.now() + timeoutMs);
    this.drained ??= drain(this.connections, { rate, deadline: () => this.drainBy, onProgress });
    return this.drained;
  }

  /** Closes what is left and ends the loops. */
  stop(): void {
    this.draining = true;
    clearInterval(this.sweeper);
    this.heartbeat.stop();
    for (const connection of this.connections) connection.close('service_restart');
  }

  private async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { metrics } = this.options.session;
    // Until ws takes over the socket, an error without a listener would end the process.
    const onError = () => socket.destroy();
    socket.on('error', onError);
    const state = { connections: this.connections.size + this.arriving, draining: this.draining };
    const decision = this.admission.decide(request, state);
    if (!decision.allowed) {
      metrics.add('holdfast.handshakes', 1, { result: decision.refusal });
      answerRefusal(socket, decision.error);
      return;
    }
    this.arriving++;
    const outcome = await this.authenticate(decision.credential);
    this.arriving--;
    if (socket.destroyed) return;
    socket.off('error', onError);
    this.wss.handleUpgrade(request, socket, head, (ws) => {
      metrics.add('holdfast.handshakes', 1, { result: 'accepted' });
      this.accept(ws, socket, outcome);
    });
  }

  /** A failure becomes a close code after the upgrade, because a browser cannot read the HTTP status of a failed upgrade. */
  private async authenticate(credential: Credential): Promise<Principal | AppError | undefined> {
    if (credential.method === 'none') return undefined;
    if (credential.method === 'query' && !this.options.allowQueryToken) {
      const text = 'Tokens in the query are not accepted (AUTH_QUERY_TOKEN is off); use a ticket or the auth command.';
      return new AppError('unauthenticated', text);
    }
    try {
      return await this.options.session.authenticator.authenticate(credential.method, credential.value);
    } catch (error) {
      return toAppError(error);
    }
  }

  private accept(ws: WebSocket, socket: Duplex, outcome: Principal | AppError | undefined): void {
    const id = `${this.options.session.nodeId}.${(++this.accepted).toString(36)}`;
    const connection = new Connection({ id, socket, ws, highWaterBytes: this.options.highWaterBytes });
    const session = new Session(connection, this.options.session);
    const stopHeartbeat = this.heartbeat.add(connection);
    const begin = performance.now();
    this.connections.add(connection);
    this.sessions.set(connection, session);
    connection.listen({
      onText: (text) => session.receive(text),
      onBehind: () => {
        this.behind.add(connection);
        this.options.session.metrics.add('holdfast.slow.consumers', 1, { result: 'paused' });
      },
      onClear: () => {
        this.behind.delete(connection);
        session.resume();
      },
      onClosed: (code) => {
        stopHeartbeat();
        session.end();
        this.forget(connection, code, (performance.now() - begin) / 1000);
      },
    });
    this.welcome(connection, session, outcome);
  }

  private welcome(connection: Connection, session: Session, outcome: Principal | AppError | undefined): void {
    if (outcome === undefined) session.awaitAuth();
    else if (outcome instanceof AppError)
      connection.close(outcome.temporary ? 'try_again_later' : 'auth_failed', outcome.message);
    else session.begin(outcome);
    // The drain does not know connections that were accepted after it began.
    if (this.draining) connection.close('service_restart');
  }

  private forget(connection: Connection, code: number, seconds: number): void {
    this.connections.delete(connection);
    this.sessions.delete(connection);
    this.behind.delete(connection);
    const { metrics } = this.options.session;
    const label = CLOSE_LABELS.includes(String(code)) ? String(code) : 'other';
    metrics.add('holdfast.closes', 1, { code: label });
    metrics.record('holdfast.connection.lifetime.seconds', seconds);
  }

  private observe(): void {
    const { metrics } = this.options.session;
    metrics.observe('holdfast.connections', () => this.connections.size);
    metrics.observe('holdfast.connections.limit', () => this.options.maxConnections);
    metrics.observe('holdfast.unsent.bytes', () => this.unsent((sum, bytes) => sum + bytes), { of: 'all' });
    metrics.observe('holdfast.unsent.bytes', () => this.unsent(Math.max), { of: 'worst' });
    metrics.observe('holdfast.draining', () => (this.draining ? 1 : 0));
    metrics.observe('holdfast.drain.remaining', () => (this.draining ? this.connections.size : 0));
  }

  /** Combines the unsent bytes of all connections. */
  private unsent(combine: (total: number, bytes: number) => number): number {
    let total = 0;
    for (const connection of this.connections) total = combine(total, connection.unsentBytes);
    return total;
  }

  private sweep(): void {
    const now = performance.now();
    for (const connection of this.behind) {
      if (!connection.isOpen || now - connection.behindSince < this.options.slowConsumerMaxMs) continue;
      this.options.session.metrics.add('holdfast.slow.consumers', 1, { result: 'closed' });
      connection.close('slow_consumer', 'The client reads too slowly; reconnect and recover.');
    }
    const time = Date.now();
    for (const [connection, session] of this.sessions) {
      if (session.expiresAt > 0 && session.expiresAt < time) connection.close('token_expired');
    }
  }
}
