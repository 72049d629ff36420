/** A WebSocket client for load. It does little work per message, because it shares the CPU with what it measures. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Push } from '../../server/protocol/messages.ts';

export interface LoadSession {
  send(text: string): void;
  /** Resolves with the first push of this type. */
  next<T extends Push['type']>(type: T): Promise<Extract<Push, { type: T }>>;
  /** Passes every further frame to `listener`, unparsed. */
  onFrame(listener: (frame: Buffer) => void): void;
  close(): void;
}

/** Opens a connection to `ws://host:port/ws` and authenticates. */
export async function openSession(wsUrl: string, token: string): Promise<LoadSession> {
  const ws = new WebSocket(wsUrl, 'holdfast.v1', { perMessageDeflate: false });
  await once(ws, 'open');
  const session: LoadSession = {
    send: (text) => ws.send(text),
    next: (type) =>
      new Promise((resolve, reject) => {
        const listener = (frame: Buffer) => {
          const push = JSON.parse(String(frame)) as Push;
          if (push.type !== type && push.type !== 'error') return;
          ws.off('message', listener);
          if (push.type === 'error') reject(new Error(`${push.code}: ${push.message}`));
          else resolve(push as never);
        };
        ws.on('message', listener);
      }),
    onFrame: (listener) => void ws.on('message', listener),
    close: () => ws.terminate(),
  };
  const welcome = session.next('welcome');
  session.send(JSON.stringify({ type: 'auth', token }));
  await welcome;
  ws.on('message', (frame: Buffer) => {
    if (frame.length < 20 && String(frame).includes('"ping"')) ws.send('{"type":"pong"}');
  });
  return session;
}
