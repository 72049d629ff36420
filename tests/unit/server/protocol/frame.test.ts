/** Frames of the server, parsed by an independent implementation: the client of `ws`. */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { headerLength, textFrame } from '../../../../server/protocol/frame.ts';

const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

test('frames of every length class parse to their texts', async () => {
  const texts = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000].map((length) => 'x'.repeat(length));
  texts.push('ü😀'.repeat(50));
  const server = createServer();
  server.on('upgrade', (request, socket) => {
    const accept = createHash('sha1')
      .update(request.headers['sec-websocket-key'] + ACCEPT_GUID)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.write(Buffer.concat(texts.map(textFrame)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const ws = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, { perMessageDeflate: false });
  const received: string[] = [];
  ws.on('message', (data) => {
    received.push(String(data));
    if (received.length === texts.length) ws.terminate();
  });
  await once(ws, 'close');
  server.close();
  expect(received).toEqual(texts);
  expect([0, 125, 126, 65_535, 65_536].map(headerLength)).toEqual([2, 2, 4, 4, 10]);
});
