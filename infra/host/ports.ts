/**
 * Finds free loopback ports for servers that start a moment later. The ports lie below the range of outgoing connections
 * (32768 and up on Linux), so an outgoing connection cannot take one before the server binds it. Port 0 would not rule
 * that out.
 *
 * Several processes search at once (test workers, a soak beside a test run), and a server keeps its port across
 * restarts. So each process reserves whole blocks of ports: it listens on the first port of a block until it exits, and
 * other processes skip that block.
 */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const FIRST = 20_000;
const BLOCK_SIZE = 50;
const BLOCKS = 240;

let next = 0;
let endOfBlock = 0;
let lastRequest: Promise<unknown> = Promise.resolve();

/** Whether a process can listen on this port of 127.0.0.1 at the moment. */
export async function isFree(port: number): Promise<boolean> {
  const release = await listen(port);
  await release?.();
  return release !== null;
}

/**
 * A free port. Never returns the same port twice.
 * @throws Error when all blocks are reserved
 */
export function freePort(): Promise<number> {
  // Serialized, so that two requests do not reserve a block each.
  const port = lastRequest.then(findPort);
  lastRequest = port.catch(() => undefined);
  return port;
}

/** `count` free ports, all different. */
export async function freePorts(count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, freePort));
}

/** `count` consecutive free ports, for a node with several workers. */
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

/** Reserves a block of ports until this process exits. Returns its first port. */
async function claimBlock(): Promise<number> {
  const start = randomInt(BLOCKS);
  for (let step = 0; step < BLOCKS; step++) {
    const first = FIRST + ((start + step) % BLOCKS) * BLOCK_SIZE;
    if ((await listen(first)) !== null) return first;
  }
  throw new Error(`No free ports found from ${FIRST} to ${FIRST + BLOCKS * BLOCK_SIZE - 1} on 127.0.0.1.`);
}

/**
 * Listens on a port without keeping the process alive. Returns a function that releases it, or null when it is taken.
 */
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
