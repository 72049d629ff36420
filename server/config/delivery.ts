/** Settings of delivery: tails, history poll, fan-out, presence. */
import { integer, milliseconds } from '../env.ts';

const windowMessages = integer(0, 100_000);
const windowBytes = integer(0, 67_108_864);
const presenceTtl = integer(1_000, 86_400_000);

export const DELIVERY = {
  TAIL_WINDOW_MESSAGES: windowMessages({
    default: 256,
    desc: 'Recent messages that each tail keeps in memory. A client that missed no more than these recovers without a read of the history.',
  }),
  TAIL_WINDOW_BYTES: windowBytes({
    default: 262_144,
    desc: 'Memory for the recent messages of one tail, in bytes. The smaller of this and TAIL_WINDOW_MESSAGES counts.',
  }),
  GAP_HOLD_MS: milliseconds({
    default: 40,
    desc: 'Time that a tail waits for a missing message to arrive through Redis, in ms. It then reads the gap from the history.',
  }),
  HISTORY_POLL_INTERVAL_MS: milliseconds({
    default: 3_000,
    desc: 'Time between two history polls, in ms. A poll finds commits that were not announced through Redis.',
  }),
  HISTORY_POLL_INTERVAL_DEGRADED_MS: milliseconds({
    default: 200,
    desc: 'Time between two history polls without a working backplane, in ms. It is then the delivery delay between nodes.',
  }),
  FLUSH_INTERVAL_MAX_MS: milliseconds({
    default: 20,
    desc: 'Longest pause between two fan-out flushes of a busy node, in ms. Longer pauses give fewer and larger writes.',
  }),
  PRESENCE_TTL_MS: presenceTtl({
    default: 30_000,
    desc: 'Time after which the users of a node that stopped refreshing their presence count as gone, in ms.',
  }),
};
