/** Where a recovery begins, or why it cannot: decided before the reply, because a recovery is never partial. */
import { AppError } from '../errors.ts';
import type { Position, RecoveryFailure } from '../protocol/messages.ts';
import type { Pages } from './pages.ts';
import type { Feed } from './tail-follower.ts';

export interface Placement {
  readonly offset: number;
  readonly recovered: boolean;
  readonly reason?: RecoveryFailure;
}

/** Reads that may be overtaken by an epoch change before the client is asked to try again. */
const ATTEMPTS = 3;

/** @throws AppError `unavailable` when the history cannot be read */
export async function findPlacement(channel: string, feed: Feed, pages: Pages, recover: Position): Promise<Placement> {
  // The client may come from a node that has seen more than this one.
  if (recover.epoch !== feed.tail.epoch || recover.offset > feed.tail.known) await feed.reload();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const placement = placeAtTail(feed, recover) ?? (await placeInHistory(channel, feed, pages, recover));
    if (placement) return placement;
  }
  const text = `The history of ${channel} could not be read; subscribe again.`;
  throw new AppError('unavailable', text, { retryAfterMs: 1_000 });
}

/** The answer when the tail alone can give it. */
function placeAtTail(feed: Feed, { epoch, offset }: Position): Placement | undefined {
  const { tail } = feed;
  if (epoch !== tail.epoch) return refused(feed, 'epoch_changed');
  if (offset > tail.known) return refused(feed, 'position_ahead');
  return offset >= tail.flushed || tail.windowAfter(offset) ? { offset, recovered: true } : undefined;
}

/** The answer when the window does not reach back far enough; undefined when the read was overtaken. */
async function placeInHistory(
  channel: string,
  feed: Feed,
  pages: Pages,
  { epoch, offset }: Position,
): Promise<Placement | undefined> {
  const page = await pages.after(channel, epoch, offset);
  if (page.epoch !== epoch) await feed.reload();
  else if (page.lost) return refused(feed, 'history_expired');
  else if (page.segment && feed.tail.epoch === epoch) return { offset, recovered: true };
  return undefined;
}

function refused(feed: Feed, reason: RecoveryFailure): Placement {
  return { offset: feed.tail.flushed, recovered: false, reason };
}
