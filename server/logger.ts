/** Logs: JSON lines on standard output, written by pino. A line never contains a token, a ticket or the data of a message. */
import { type Logger, pino } from 'pino';
import sonicBoom from 'sonic-boom';

export type { Logger };

/** Bytes of lines that wait for a slow reader. Further lines are dropped, so that logging cannot fill the memory or block the node. */
const BACKLOG_MAX = 1_048_576;
/** Retries of a failed write when the process exits, 100 ms apart. */
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
  OUTPUTS.set(log, output);
  let dropped = 0;
  output.on('drop', () => {
    dropped++;
    // SonicBoom does not retry by itself after a failed write.
    output.flush();
  });
  output.on('drain', () => {
    if (dropped === 0) return;
    const lines = dropped;
    dropped = 0;
    log.warn({ lines }, 'The reader of the log was too slow; lines were dropped.');
  });
  return log;
}

/** Longest wait for the last lines to be written, milliseconds: the reader may be gone. */
const CLOSE_TIMEOUT_MS = 1_000;
const OUTPUTS = new WeakMap<Logger, sonicBoom.SonicBoom>();

/**
 * Resolves when all lines are written, in order, or after a second. Call it before `process.exit`: the last write that a
 * process makes while it exits can overtake one that is under way.
 */
export function closeLog(log: Logger): Promise<void> {
  const output = OUTPUTS.get(log);
  if (!output) return Promise.resolve();
  return new Promise((resolve) => {
    output.once('close', resolve);
    setTimeout(resolve, CLOSE_TIMEOUT_MS);
    output.end();
  });
}

/** The destination that pino creates by default would retry at exit until the log is read: without end when the reader is gone. */
function standardOutput(): sonicBoom.SonicBoom {
  let retries = Number.POSITIVE_INFINITY;
  const output = new sonicBoom.SonicBoom({
    fd: process.stdout.fd,
    maxLength: BACKLOG_MAX,
    retryEAGAIN: () => retries-- > 0,
  });
  output.on('error', () => {
    // The reader is gone, and there is no other output to report it to.
  });
  process.on('exit', () => {
    retries = LAST_WRITES;
    try {
      output.flushSync();
    } catch {
      // The reader is gone; the remaining lines are lost.
    }
  });
  return output;
}

/** Shortest time between two log lines of the same error, milliseconds. */
const REPEAT_MS = 5_000;
/** Different errors that are counted at the same time. Beyond it all counts start over. */
const ERRORS_MAX = 1_000;

/** Logs an error; `traceId` is the trace that it belongs to. */
export type ErrorLog = (message: string, error: unknown, traceId?: string) => void;

/**
 * Returns a function that logs errors which can occur thousands of times per second, such as those of an unavailable
 * dependency: the same error at most every 5 s, with the number of its occurrences since the last line.
 */
export function createErrorLog(log: Logger): ErrorLog {
  const occurrences = new Map<string, { at: number; count: number }>();
  return (message, error, traceId) => {
    const key = error instanceof Error ? `${error.name} ${error.message}` : message;
    const now = performance.now();
    if (occurrences.size > ERRORS_MAX) occurrences.clear();
    const seen = occurrences.get(key) ?? { at: Number.NEGATIVE_INFINITY, count: 0 };
    seen.count++;
    occurrences.set(key, seen);
    if (now - seen.at < REPEAT_MS) return;
    log.error({ err: error, times: seen.count, ...(traceId && { trace_id: traceId }) }, message);
    occurrences.set(key, { at: now, count: 0 });
  };
}
