/** Logs: JSON lines on standard output, by pino. Never a token, a ticket or a message's data. */
import { type Logger, pino } from 'pino';

export type { Logger };

export function createLogger(level: string, nodeId: string): Logger {
  return pino({
    level,
    base: { node: nodeId },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: ['req.headers.authorization', 'req.url', 'token', 'ticket'],
  });
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
