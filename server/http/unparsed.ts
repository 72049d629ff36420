/** What Node's parser refuses before there is a request: answered in our error format, where an answer can still be read. */
import type { Socket } from 'node:net';
import { AppError, errorBody } from '../errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';

type ParserError = Error & { readonly code?: string };

/** Answers and closes; a connection that broke, or has its answer already, is only closed. */
export function answerUnparsed(error: ParserError, socket: Socket, metrics: Metrics): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const [status, refusal] = describe(error.code);
  metrics.add('holdfast.errors', 1, { code: refusal.code });
  const body = JSON.stringify({ ok: false, error: errorBody(refusal) });
  // A peer that does not close its side would keep the socket for ever.
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function describe(code: string | undefined): [string, AppError] {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return ['408 Request Timeout', new AppError('bad_request', 'The request took too long to arrive.')];
  if (code === 'HPE_HEADER_OVERFLOW')
    return ['431 Request Header Fields Too Large', new AppError('too_large', 'The headers are larger than 16 KB.')];
  return ['400 Bad Request', new AppError('bad_request', 'This is not a valid HTTP/1.1 request.')];
}
