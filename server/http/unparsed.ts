/**
 * Answers requests that the HTTP parser of Node.js refuses and no route sees, in the error format of the routes.
 * Never answers on a connection that already has an answer.
 */
import type { Socket } from 'node:net';
import { AppError, errorBody } from '../errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';

type ParserError = Error & { readonly code?: string };

/** Answers and closes. A connection that is broken, or has an answer already, is only closed. */
export function answerUnparsed(error: ParserError, socket: Socket, metrics: Metrics): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const [status, refusal] = describe(error.code);
  metrics.add('holdfast.errors', 1, { code: refusal.code });
  const body = JSON.stringify({ ok: false, error: errorBody(refusal) });
  // Without this, a peer that does not close its side would keep the socket open.
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function describe(code: string | undefined): [string, AppError] {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return [
      '408 Request Timeout',
      new AppError(
        'bad_request',
        'The request did not arrive within its time limit: 10 s for the headers, 15 s for all of it.',
      ),
    ];
  if (code === 'HPE_HEADER_OVERFLOW')
    return [
      '431 Request Header Fields Too Large',
      new AppError('too_large', 'The headers are larger than 16 KB; send fewer.'),
    ];
  return ['400 Bad Request', new AppError('bad_request', 'The bytes are not a valid HTTP/1.1 request.')];
}
