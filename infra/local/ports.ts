/**
 * Free loopback ports for servers that are started a moment later. Never hands out the same port twice. Ports come
 * from below the range that the kernel takes for outgoing connections (32768 and up on Linux): one that is free now
 * is then not taken by some client's connection before the server binds it, which port 0 would not rule out.
 */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const FIRST = 20_000;
const LAST = 32_000;
const handedOut = new Set<number>();

/** Whether this process could listen on 127.0.0.1 at this port now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * A free port.
 * @throws Error when there seems to be none
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const port = randomInt(FIRST, LAST);
    if (handedOut.has(port)) continue;
    handedOut.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error(`No free port found from ${FIRST} to ${LAST} on 127.0.0.1.`);
}

/** `count` different free ports. */
export async function freePorts(count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, freePort));
}
