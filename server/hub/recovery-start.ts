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
  /** Epoch of the tail in which this was found. */
  readonly epoch: string;
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
  if (recover.epoch === source.tail.epoch && recover.offset > source.tail.known) await source.reload();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const valid = await epochOf(source, recover);
    if (valid === undefined) return refused(source, 'epoch_changed');
    // What was found in one epoch says nothing about the next.
    if (valid !== source.tail.epoch) continue;
    const start = startAtTail(source, recover) ?? (await startInHistory(channel, source, pages, recover));
    if (start?.epoch === source.tail.epoch) return start;
  }
  const text = `The history of ${channel} could not be read; subscribe again.`;
  throw new AppError('unavailable', text, { retryAfterMs: 1_000 });
}

/** The current epoch, if the position is valid in it; undefined when the database has lost its message. */
async function epochOf(source: TailSource, { epoch, offset }: Position): Promise<string | undefined> {
  if (epoch === source.tail.epoch || offset === 0) return source.tail.epoch;
  const read = await source.endOf(epoch);
  if (offset > read.end) return undefined;
  if (read.epoch !== source.tail.epoch) await source.reload();
  return read.epoch;
}

/** The answer, if the tail alone can give it. */
function startAtTail(source: TailSource, { offset }: Position): RecoveryStart | undefined {
  const { tail } = source;
  if (offset > tail.known) return refused(source, 'position_ahead');
  if (offset < tail.flushed && !tail.windowAfter(offset)) return undefined;
  return { epoch: tail.epoch, offset, recovered: true };
}

/** The answer for a position before the window; undefined when the epoch changed during the read. */
async function startInHistory(
  channel: string,
  source: TailSource,
  pages: Pages,
  { offset }: Position,
): Promise<RecoveryStart | undefined> {
  const { epoch } = source.tail;
  const page = await pages.after(channel, epoch, offset);
  if (page.epoch !== epoch) await source.reload();
  else if (page.lost) return refused(source, 'history_expired');
  else if (page.segment) return { epoch, offset, recovered: true };
  return undefined;
}

function refused({ tail }: TailSource, reason: RecoveryFailure): RecoveryStart {
  return { epoch: tail.epoch, offset: tail.flushed, recovered: false, reason };
}
