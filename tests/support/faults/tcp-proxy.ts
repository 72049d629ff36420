/**
 * A TCP proxy on loopback that injects network faults in front of Redis, Postgres or a node: connections are reset,
 * delayed, throttled, refused, or their bytes are held back. A fault applies to current and future connections, all of
 * them or those that `matching` selects, until `heal`.
 */
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';

/** `up`: from the client to the server; `down`: back. */
export type Direction = 'up' | 'down' | 'both';

/** One connection through the proxy, for `matching` to select. */
export interface ProxiedConnection {
  readonly number: number;
  /** Whether the client has sent this text among its first bytes: a user, a command, a connection's name. */
  said(text: string): boolean;
}

export type Matching = (connection: ProxiedConnection) => boolean;

interface Fault {
  readonly matching: Matching;
  /** Bytes in this direction are held back; the connection stays open. */
  readonly blackhole?: Direction;
  /** Added in each direction, milliseconds. */
  readonly delayMs?: number;
  /** Bytes per second in each direction. */
  readonly bytesPerSecond?: number;
}

const ALL: Matching = () => true;
/** First bytes kept for `said`: enough for the handshake of Redis or Postgres without TLS, or an upgrade with a token. */
const HELLO_BYTES = 4_096;
/** Bytes that a direction holds before it stops reading, like a socket buffer. */
const HELD_BYTES = 65_536;
const TICK_MS = 20;

export class TcpProxy {
  readonly port: number;
  private readonly server: Server;
  private readonly links = new Set<Link>();
  private readonly timer: NodeJS.Timeout;
  private faults: Fault[] = [];
  private refusing = false;
  private count = 0;
  private targetPort: number;

  private constructor(server: Server, targetPort: number) {
    this.server = server;
    this.targetPort = targetPort;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => this.accept(socket));
    this.timer = setInterval(() => this.pump(), TICK_MS);
  }

  /** A proxy in front of `targetPort` on loopback; the target need not be there yet. */
  static start(targetPort: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => resolve(new TcpProxy(server, targetPort)));
    });
  }

  /** `url` with the port of this proxy instead of the port of the target. */
  through(url: string): string {
    const changed = new URL(url);
    changed.port = String(this.port);
    return changed.href;
  }

  /** The open connections. */
  get connections(): readonly ProxiedConnection[] {
    return [...this.links];
  }

  /** Resets connections at once, as the kernel does after a peer has crashed. */
  cut(matching: Matching = ALL): void {
    for (const link of this.links) if (matching(link)) link.reset();
  }

  /** Holds back bytes while the connections stay open: a vanished peer, or with `up` or `down` one that is mute or deaf. */
  blackhole(direction: Direction = 'both', matching: Matching = ALL): void {
    this.addFault({ matching, blackhole: direction });
  }

  /** Adds a delay in each direction. */
  delay(ms: number, matching: Matching = ALL): void {
    this.addFault({ matching, delayMs: ms });
  }

  /** Limits each connection's bytes per second, in each direction. */
  limit(bytesPerSecond: number, matching: Matching = ALL): void {
    this.addFault({ matching, bytesPerSecond });
  }

  /** Resets open and new connections, as a host does on which the server does not run. */
  refuse(): void {
    this.refusing = true;
    this.cut();
  }

  /** Leads new connections to another port, as a changed DNS name does; open ones stay where they are. */
  retarget(port: number): void {
    this.targetPort = port;
  }

  /** Ends all faults. Bytes that were held back are delivered, as when a network works again. */
  heal(): void {
    this.faults = [];
    this.refusing = false;
    this.pump();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private addFault(fault: Fault): void {
    this.faults.push(fault);
  }

  private accept(client: Socket): void {
    if (this.refusing) {
      client.resetAndDestroy();
      return;
    }
    const link = new Link(
      ++this.count,
      client,
      this.targetPort,
      () => this.faults,
      () => this.links.delete(link),
    );
    this.links.add(link);
  }

  private pump(): void {
    for (const link of this.links) link.pump();
  }
}

interface Held {
  readonly bytes: Buffer;
  readonly at: number;
}

/** One proxied connection: the socket of the client, the socket of the server, and the flow in each direction. */
class Link implements ProxiedConnection {
  readonly number: number;
  private readonly client: Socket;
  private readonly server: Socket;
  private readonly up: Flow;
  private readonly down: Flow;
  private readonly onGone: () => void;
  private hello = Buffer.alloc(0);

  constructor(number: number, client: Socket, port: number, faults: () => readonly Fault[], onGone: () => void) {
    this.number = number;
    this.client = client;
    this.onGone = onGone;
    this.server = dial({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true });
    const mine = () => faults().filter((fault) => fault.matching(this));
    client.on('data', (bytes: Buffer) => this.listen(bytes));
    this.up = new Flow('up', client, this.server, mine);
    this.down = new Flow('down', this.server, client, mine);
    for (const socket of [client, this.server]) {
      socket.on('error', () => this.reset());
      socket.on('close', () => this.ended());
    }
  }

  said(text: string): boolean {
    return this.hello.includes(text);
  }

  pump(): void {
    this.up.pump();
    this.down.pump();
  }

  reset(): void {
    this.client.resetAndDestroy();
    this.server.resetAndDestroy();
    this.onGone();
  }

  private listen(bytes: Buffer): void {
    if (this.hello.length < HELLO_BYTES) this.hello = Buffer.concat([this.hello, bytes]).subarray(0, HELLO_BYTES);
  }

  private ended(): void {
    if (this.client.destroyed && this.server.destroyed) this.onGone();
  }
}

/** The bytes of one direction, held as long as the current faults require. */
class Flow {
  private readonly direction: 'up' | 'down';
  private readonly source: Socket;
  private readonly target: Socket;
  private readonly faults: () => readonly Fault[];
  private held: Held[] = [];
  private heldBytes = 0;
  private ended = false;
  private allowance = 0;
  private pumpedAt = performance.now();

  constructor(direction: 'up' | 'down', source: Socket, target: Socket, faults: () => readonly Fault[]) {
    this.direction = direction;
    this.source = source;
    this.target = target;
    this.faults = faults;
    source.on('data', (bytes: Buffer) => {
      this.held.push({ bytes, at: performance.now() });
      this.heldBytes += bytes.length;
      this.pump();
      if (this.heldBytes > HELD_BYTES) source.pause();
    });
    source.on('end', () => {
      this.ended = true;
      this.pump();
    });
    target.on('drain', () => this.pump());
  }

  pump(): void {
    const now = performance.now();
    const faults = this.faults();
    const rate = Math.min(...faults.map((fault) => fault.bytesPerSecond ?? Number.POSITIVE_INFINITY));
    // Capped at one second of the rate, so that an idle time does not allow a larger burst.
    this.allowance = Number.isFinite(rate)
      ? Math.min(this.allowance + (rate * (now - this.pumpedAt)) / 1000, rate)
      : Number.POSITIVE_INFINITY;
    this.pumpedAt = now;
    const held = faults.some(({ blackhole }) => blackhole === 'both' || blackhole === this.direction);
    if (!held) this.send(now - Math.max(0, ...faults.map((fault) => fault.delayMs ?? 0)));
    if (this.heldBytes <= HELD_BYTES && this.source.isPaused()) this.source.resume();
  }

  /** Sends the bytes that arrived before `until`, within the allowance and the buffer of the target. */
  private send(until: number): void {
    while (this.held[0] && this.held[0].at <= until && this.allowance >= 1 && !this.target.writableNeedDrain) {
      const { bytes, at } = this.held.shift() as Held;
      const count = Math.min(bytes.length, Math.floor(this.allowance));
      if (count < bytes.length) this.held.unshift({ bytes: bytes.subarray(count), at });
      this.allowance -= count;
      this.heldBytes -= count;
      if (this.target.writable) this.target.write(bytes.subarray(0, count));
    }
    if (this.ended && this.held.length === 0 && this.target.writable) this.target.end();
  }
}
