/** Where a recovery begins, or why it cannot: decided before the reply, because a recovery is never partial. */
import { AppError } from '../errors.ts';
import type { Position, RecoveryFailure } from '../protocol/messages.ts';
import type { Pages } from './pages.ts';
import type { TailFollower } from './tail-follower.ts';

export interface Placement {
  readonly offset: number;
  readonly recovered: boolean;
  readonly reason?: RecoveryFailure;
}

/** Reads that may be overtaken by an epoch change before the client is asked to try again. */
const ATTEMPTS = 3;

/** @throws AppError `unavailable` when the history cannot be read */
export async function findPlacement(
  channel: string,
  follower: TailFollower,
  pages: Pages,
  recover: Position,
): Promise<Placement> {
  // The client may come from a node that has seen more than this one.
  if (recover.epoch !== follower.tail.epoch || recover.offset > follower.tail.known) await follower.reload();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const placement = placeAtTail(follower, recover) ?? (await placeInHistory(channel, follower, pages, recover));
    if (placement) return placement;
  }
  const text = `The history of ${channel} could not be read; subscribe again.`;
  throw new AppError('unavailable', text, { retryAfterMs: 1_000 });
}

/** The answer when the tail alone can give it. */
function placeAtTail(follower: TailFollower, { epoch, offset }: Position): Placement | undefined {
  const { tail } = follower;
  if (epoch !== tail.epoch) return refused(follower, 'epoch_changed');
  if (offset > tail.known) return refused(follower, 'position_ahead');
  return offset >= tail.flushed || tail.windowAfter(offset) ? { offset, recovered: true } : undefined;
}

/** The answer when the window does not reach back far enough; undefined when the read was overtaken. */
async function placeInHistory(
  channel: string,
  follower: TailFollower,
  pages: Pages,
  { epoch, offset }: Position,
): Promise<Placement | undefined> {
  const page = await pages.after(channel, epoch, offset);
  if (page.epoch !== epoch) await follower.reload();
  else if (page.lost) return refused(follower, 'history_expired');
  else if (page.segment && follower.tail.epoch === epoch) return { offset, recovered: true };
  return undefined;
}

function refused(follower: TailFollower, reason: RecoveryFailure): Placement {
  return { offset: follower.tail.flushed, recovered: false, reason };
}
