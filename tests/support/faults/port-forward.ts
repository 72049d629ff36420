/**
 * Forwards connections between a network namespace and the loopback of the machine: tests reach programs in a namespace
 * with ordinary clients, and those programs reach servers of the machine. Only Unix sockets cross the border, so a
 * network cut in the namespace does not affect the forwarding.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import type { Namespace } from './namespace.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
}

const GATE = join(import.meta.dirname, 'gate.mjs');
const START_DEADLINE_MS = 20_000;

/** A listener of this process that forwards every connection. */
export class PortForward {
  /** Port on 127.0.0.1; 0 for a Unix socket. */
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    const address = server.address() as AddressInfo | string | null;
    this.port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static open(at: { port: number; host: string } | { path: string }, dial: () => Socket): Promise<PortForward> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
      pipeline(near, dial(), near, () => {
        // One end failed; the pipeline has destroyed the other.
      });
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(at, () => resolve(new PortForward(server)));
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Opens connections from inside a namespace. One per namespace; its program (`gate.mjs`) ends with the namespace. */
export class Gate {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  static async open(namespace: Namespace): Promise<Gate> {
    const path = join(namespace.directory, 'gate.sock');
    const program = await namespace.start({ name: 'gate', command: process.execPath, args: [GATE, path] });
    await program.ready(() => canConnect(path), { deadlineMs: START_DEADLINE_MS });
    return new Gate(path);
  }

  /** Opens a port on the loopback of the machine (default: a free one) that leads to `target` inside the namespace. */
  forward(target: Target, port = 0): Promise<PortForward> {
    return PortForward.open({ port, host: '127.0.0.1' }, () => this.#dial(target));
  }

  #dial({ host, port }: Target): Socket {
    const socket = connect({ path: this.#path, allowHalfOpen: true });
    socket.write(`${host} ${port}\n`);
    return socket;
  }
}

/** Opens a Unix socket that leads to a port on the loopback of the machine, for programs in a namespace. */
export function forwardUnixSocket(path: string, port: number): Promise<PortForward> {
  return PortForward.open({ path }, () => connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true }));
}

function canConnect(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
