/** HTTP written by hand over TCP, for requests that no library sends. */
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  /** All bytes received until the server closed or the timeout passed, as Latin-1. */
  readonly text: string;
  /** Whether the server closed the connection. */
  readonly closed: boolean;
}

/** Sends bytes and collects the answer. */
export function exchange(port: number, bytes: string, timeoutMs = 2_000): Promise<RawAnswer> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(bytes, 'latin1'));
    const done = (closed: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, closed });
    };
    const timer = setTimeout(() => done(false), timeoutMs);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => done(true));
  });
}

/** Sends one byte of `text` every `intervalMs`, without end. `ended` resolves to the life of the connection in ms. */
export function dribble(port: number, text: string, intervalMs: number): { ended: Promise<number>; socket: Socket } {
  const begin = performance.now();
  const socket = connect({ port, host: '127.0.0.1' });
  let at = 0;
  const timer = setInterval(() => {
    if (socket.writable) socket.write(text[at++ % text.length] as string);
  }, intervalMs);
  socket.on('error', () => {});
  socket.resume();
  const ended = new Promise<number>((resolve) => {
    socket.on('close', () => {
      clearInterval(timer);
      resolve(performance.now() - begin);
    });
  });
  return { ended, socket };
}

/** A request as text. Header values are not escaped. */
export function request(method: string, target: string, headers: Readonly<Record<string, string>>, body = ''): string {
  const lines = Object.entries({ Host: '127.0.0.1', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

export const UPGRADE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
} as const;
