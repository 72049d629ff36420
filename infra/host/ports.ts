/**
 * Free loopback ports for servers that are started a moment later. Ports come from below the range that the kernel
 * takes for outgoing connections (32768 and up on Linux): one that is free now is then not taken by some client's
 * connection before the server binds it, which port 0 would not rule out.
 *
 * Several processes look for ports at once (test workers, a soak beside a test run), and a port must also stay with
 * its server while that is being restarted. So each process takes whole blocks: it listens on the first port of a
 * block for as long as it lives, and nobody else hands out the ports of that block.
 */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const FIRST = 20_000;
const BLOCK_SIZE = 50;
const BLOCKS = 240;

let next = 0;
let endOfBlock = 0;
let lastRequest: Promise<unknown> = Promise.resolve();

/** Whether this process could listen on 127.0.0.1 at this port now. */
export async function isFree(port: number): Promise<boolean> {
  const release = await listen(port);
  await release?.();
  return release !== null;
}

/**
 * A free port, never the same one twice.
 * @throws Error when there seems to be none
 */
export function freePort(): Promise<number> {
  // One at a time: two requests must not claim a block each.
  const port = lastRequest.then(findPort);
  lastRequest = port.catch(() => undefined);
  return port;
}

/** `count` different free ports. */
export async function freePorts(count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, freePort));
}

/** `count` free ports that follow one another, as the launcher takes them for its nodes. */
export async function adjacentFreePorts(count: number): Promise<number[]> {
  let ports: number[] = [];
  while (ports.length < count) {
    const port = await freePort();
    ports = port - 1 === ports.at(-1) ? [...ports, port] : [port];
  }
  return ports;
}

async function findPort(): Promise<number> {
  for (;;) {
    if (next === endOfBlock) {
      const first = await claimBlock();
      next = first + 1;
      endOfBlock = first + BLOCK_SIZE;
    }
    const port = next++;
    if (await isFree(port)) return port;
  }
}

/** The first port of a block that is this process's until it ends. */
async function claimBlock(): Promise<number> {
  const start = randomInt(BLOCKS);
  for (let step = 0; step < BLOCKS; step++) {
    const first = FIRST + ((start + step) % BLOCKS) * BLOCK_SIZE;
    if ((await listen(first)) !== null) return first;
  }
  throw new Error(`No free ports found from ${FIRST} to ${FIRST + BLOCKS * BLOCK_SIZE - 1} on 127.0.0.1.`);
}

/** Listens without keeping the process alive; null when the port is taken, otherwise the way to let go of it. */
function listen(port: number): Promise<(() => Promise<void>) | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.unref();
      resolve(() => new Promise((closed) => server.close(() => closed())));
    });
  });
}
