/** WebSocket upgrades and frames written by hand, for what no client library sends. */
import { randomBytes } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { eventually } from './wait.ts';

const newKey = () => randomBytes(16).toString('base64');

/** The answer to an upgrade request: status 101, or that of a refusal. */
export function requestUpgrade(url: string, headers: Readonly<Record<string, string>> = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, {
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': newKey(),
        ...headers,
      },
    });
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response);
    });
    request.on('response', resolve);
    request.on('error', reject);
    request.end();
  });
}

/** A TCP socket after a handmade upgrade request, which was answered. */
export function rawSocket(
  port: number,
  target = '/ws',
  onAnswer: (answer: string) => void = () => {},
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `GET ${target} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${newKey()}\r\n\r\n`,
    );
    socket.once('data', (answer) => {
      onAnswer(String(answer));
      resolve(socket);
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`${target} was not answered`)));
  });
}

/** The status that answers a handmade upgrade request to `target`. */
export async function rawStatus(port: number, target: string): Promise<number> {
  let status = 0;
  const socket = await rawSocket(port, target, (answer) => {
    status = Number(answer.split(' ')[1]);
  });
  socket.destroy();
  return status;
}

/** The code of the close frame that answers `bytes`. */
export async function closeCodeFor(port: number, bytes: Buffer): Promise<number> {
  const socket = await rawSocket(port);
  const received: Buffer[] = [];
  socket.on('data', (chunk) => received.push(chunk));
  socket.write(bytes);
  try {
    return await eventually(() => {
      const all = Buffer.concat(received);
      const at = all.indexOf(0x88);
      if (at < 0 || all.length < at + 4) throw new Error('no close frame yet');
      return all.readUInt16BE(at + 2);
    });
  } finally {
    socket.destroy();
  }
}

/** A client frame of less than 126 bytes, masked unless `mask` is 0. The mask is zero, so the payload is readable. */
export function clientFrame(firstByte: number, payload: Buffer | string, mask = 0x80): Buffer {
  const body = Buffer.from(payload);
  return Buffer.concat([Buffer.from([firstByte, mask | body.length]), mask ? Buffer.alloc(4) : Buffer.alloc(0), body]);
}
