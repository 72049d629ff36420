/** Logs: JSON lines on standard output, by pino. Never a token, a ticket or a message's data. */
import { type Logger, pino } from 'pino';
import sonicBoom from 'sonic-boom';

export type { Logger };

/** Lines that wait while nobody reads, bytes; further ones are dropped, so that a log can neither fill the memory nor stop a node. */
const BACKLOG_MAX = 1_048_576;
/** Times that a write is tried again when the process ends, 100 ms apart. */
const LAST_WRITES = 10;

export function createLogger(level: string, nodeId: string): Logger {
  const options = {
    level,
    base: { node: nodeId },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: ['req.headers.authorization', 'req.url', 'token', 'ticket'],
  };
  const output = standardOutput();
  const log = pino(options, output);
  let dropped = 0;
  output.on('drop', () => {
    dropped++;
    // After a write that failed nobody else begins another one.
    output.flush();
  });
  output.on('drain', () => {
    if (dropped === 0) return;
    const lines = dropped;
    dropped = 0;
    log.warn({ lines }, 'Nobody read the log for a while; lines were dropped.');
  });
  return log;
}

/** Pino's own destination would write at the end until somebody reads: forever, when the reader is gone. */
function standardOutput(): sonicBoom.SonicBoom {
  let retries = Number.POSITIVE_INFINITY;
  const output = new sonicBoom.SonicBoom({
    fd: process.stdout.fd,
    maxLength: BACKLOG_MAX,
    retryEAGAIN: () => retries-- > 0,
  });
  output.on('error', () => {
    // The reader is gone, and there is no other place to say so.
  });
  process.on('exit', () => {
    retries = LAST_WRITES;
    try {
      output.flushSync();
    } catch {
      // See above.
    }
  });
  return output;
}

/** How often the same message is logged while it keeps happening, milliseconds. */
const REPEAT_MS = 5_000;

/**
 * Logs errors that can come thousands of times a second (a dependency is away) once in a while, with their count.
 * Kinds are the message texts without their variable parts, so the table stays small.
 */
export function createErrorLog(log: Logger): (message: string, error: unknown, traceId?: string) => void {
  const kinds = new Map<string, { at: number; count: number }>();
  return (message, error, traceId) => {
    const kind = error instanceof Error ? `${error.name} ${error.message}` : message;
    const now = performance.now();
    if (kinds.size > 1_000) kinds.clear();
    const seen = kinds.get(kind) ?? { at: Number.NEGATIVE_INFINITY, count: 0 };
    seen.count++;
    kinds.set(kind, seen);
    if (now - seen.at < REPEAT_MS) return;
    log.error({ err: error, times: seen.count, ...(traceId && { trace_id: traceId }) }, message);
    kinds.set(kind, { at: now, count: 0 });
  };
}
