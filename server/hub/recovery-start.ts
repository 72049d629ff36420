/** Where a recovery begins, or why it cannot: decided before the reply, because a recovery is never partial. */
import { AppError } from '../errors.ts';
import type { Position, RecoveryFailure } from '../protocol/messages.ts';
import type { Pages } from './pages.ts';
import type { TailFollower } from './tail-follower.ts';

export interface RecoveryStart {
  readonly offset: number;
  readonly recovered: boolean;
  readonly reason?: RecoveryFailure;
}

/** Reads that may be overtaken by an epoch change before the client is asked to try again. */
const ATTEMPTS = 3;

/** @throws AppError `unavailable` when the history cannot be read */
export async function findRecoveryStart(
  channel: string,
  follower: TailFollower,
  pages: Pages,
  recover: Position,
): Promise<RecoveryStart> {
  // The client may come from a node that has seen more than this one.
  if (recover.epoch !== follower.tail.epoch || recover.offset > follower.tail.known) await follower.reload();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const start = startAtTail(follower, recover) ?? (await startInHistory(channel, follower, pages, recover));
    if (start) return start;
  }
  const text = `The history of ${channel} could not be read; subscribe again.`;
  throw new AppError('unavailable', text, { retryAfterMs: 1_000 });
}

/** The answer when the tail alone can give it. */
function startAtTail(follower: TailFollower, { epoch, offset }: Position): RecoveryStart | undefined {
  const { tail } = follower;
  if (epoch !== tail.epoch) return refused(follower, 'epoch_changed');
  if (offset > tail.known) return refused(follower, 'position_ahead');
  return offset >= tail.flushed || tail.windowAfter(offset) ? { offset, recovered: true } : undefined;
}

/** The answer when the window does not reach back far enough; undefined when the read was overtaken. */
async function startInHistory(
  channel: string,
  follower: TailFollower,
  pages: Pages,
  { epoch, offset }: Position,
): Promise<RecoveryStart | undefined> {
  const page = await pages.after(channel, epoch, offset);
  if (page.epoch !== epoch) await follower.reload();
  else if (page.lost) return refused(follower, 'history_expired');
  else if (page.segment && follower.tail.epoch === epoch) return { offset, recovered: true };
  return undefined;
}

function refused(follower: TailFollower, reason: RecoveryFailure): RecoveryStart {
  return { offset: follower.tail.flushed, recovered: false, reason };
}
