/**
 * Finds where a recovery begins, or why it is refused, before the client gets its reply: `recovered: true` is never sent when
 * messages after the position are already missing. May read the history and may have the tail reloaded; never changes a
 * subscription.
 */
import { AppError } from '../errors.ts';
import type { Position, RecoveryFailure } from '../protocol/messages.ts';
import type { Pages } from './pages.ts';
import type { TailSource } from './tail.ts';

export interface RecoveryStart {
  /** The next message has `offset + 1`. */
  readonly offset: number;
  readonly recovered: boolean;
  /** Only when refused. */
  readonly reason?: RecoveryFailure;
}

/** Reads that a change of epoch may outdate before the client has to subscribe again. */
const ATTEMPTS = 3;

/** @throws AppError `unavailable` when the history cannot be read */
export async function findRecoveryStart(
  channel: string,
  source: TailSource,
  pages: Pages,
  recover: Position,
): Promise<RecoveryStart> {
  // The client may come from a node whose tail was ahead of this one.
  if (recover.epoch !== source.tail.epoch || recover.offset > source.tail.known) await source.reload();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const start = startAtTail(source, recover) ?? (await startInHistory(channel, source, pages, recover));
    if (start) return start;
  }
  const text = `The history of ${channel} could not be read; subscribe again.`;
  throw new AppError('unavailable', text, { retryAfterMs: 1_000 });
}

/** The answer, if the tail alone can give it. */
function startAtTail(source: TailSource, { epoch, offset }: Position): RecoveryStart | undefined {
  const { tail } = source;
  if (epoch !== tail.epoch) return refused(source, 'epoch_changed');
  if (offset > tail.known) return refused(source, 'position_ahead');
  return offset >= tail.flushed || tail.windowAfter(offset) ? { offset, recovered: true } : undefined;
}

/** The answer for a position before the window; undefined when the epoch changed during the read. */
async function startInHistory(
  channel: string,
  source: TailSource,
  pages: Pages,
  { epoch, offset }: Position,
): Promise<RecoveryStart | undefined> {
  const page = await pages.after(channel, epoch, offset);
  if (page.epoch !== epoch) await source.reload();
  else if (page.lost) return refused(source, 'history_expired');
  else if (page.segment && source.tail.epoch === epoch) return { offset, recovered: true };
  return undefined;
}

function refused(source: TailSource, reason: RecoveryFailure): RecoveryStart {
  return { offset: source.tail.flushed, recovered: false, reason };
}
