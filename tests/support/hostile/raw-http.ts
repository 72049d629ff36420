/** HTTP by hand over TCP, for requests that no library would send. */
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  /** Everything that came, until the server closed or the time was up. */
  readonly text: string;
  /** Whether the server closed the connection. */
  readonly closed: boolean;
}

/** Sends bytes and collects what comes back. */
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

/** Sends one byte of `text` every `intervalMs`, and never ends. Resolves to how long the server put up with it, in ms. */
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

/** A request as text. Header values may hold whatever they like. */
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
