/**
 * A TCP proxy on loopback that does to connections what networks do: cuts, delays, swallows, slows down, refuses. Put it
 * in front of Redis, Postgres or a node. Faults hold for present and future connections until `heal`, all of them or
 * those that `matching` picks.
 */
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';

/** `up`: from the client to the server; `down`: back. */
export type Direction = 'up' | 'down' | 'both';

/** One connection through the proxy, for choosing which ones a fault is for. */
export interface ProxiedConnection {
  readonly number: number;
  /** Whether the client has sent this text among its first bytes: a user, a command, a connection's name. */
  said(text: string): boolean;
}

export type Matching = (connection: ProxiedConnection) => boolean;

interface Fault {
  readonly matching: Matching;
  /** Bytes stay where they are, and nobody is told. */
  readonly blackhole?: Direction;
  /** Added in each direction, milliseconds. */
  readonly delayMs?: number;
  /** Bytes per second in each direction. */
  readonly bytesPerSecond?: number;
}

const ALL: Matching = () => true;
/** First bytes kept for `said`: more than a TLS-less hello of Redis or Postgres, or an HTTP upgrade with a token. */
const HELLO_BYTES = 4_096;
/** Bytes a throttled or swallowed direction holds before it stops reading, like a socket buffer. */
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

  /** `url` with this proxy's port in place of the target's. */
  through(url: string): string {
    const changed = new URL(url);
    changed.port = String(this.port);
    return changed.href;
  }

  /** Connections that are open now. */
  get connections(): readonly ProxiedConnection[] {
    return [...this.links];
  }

  /** Resets connections at once, as a crashed peer's kernel does. */
  cut(matching: Matching = ALL): void {
    for (const link of this.links) if (matching(link)) link.reset();
  }

  /** Swallows bytes while the connections stay open: a peer that has vanished, or a deaf one with `up` or `down`. */
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

  /** Cuts what is open and resets whoever connects, as a host without the server does. */
  refuse(): void {
    this.refusing = true;
    this.cut();
  }

  /** Sends new connections elsewhere, as a changed DNS name does; present ones stay where they are. */
  retarget(port: number): void {
    this.targetPort = port;
  }

  /** Ends all faults. What was swallowed arrives now, as after a network's return. */
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

/** A client's socket and the server's, and the two flows between them. */
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

/** Bytes of one direction, held as long as the faults of the moment say. */
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
    // At most a second's worth at once, so that a pause does not save up a burst.
    this.allowance = Number.isFinite(rate)
      ? Math.min(this.allowance + (rate * (now - this.pumpedAt)) / 1000, rate)
      : Number.POSITIVE_INFINITY;
    this.pumpedAt = now;
    const swallowed = faults.some(({ blackhole }) => blackhole === 'both' || blackhole === this.direction);
    if (!swallowed) this.send(now - Math.max(0, ...faults.map((fault) => fault.delayMs ?? 0)));
    if (this.heldBytes <= HELD_BYTES && this.source.isPaused()) this.source.resume();
  }

  /** Sends what came before `until`, as far as the allowance and the target's buffer go. */
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
