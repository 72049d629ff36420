/** One connection's cursor into one channel: live, or catching up. Its channel moves it (`channel.ts`). */
import type { Sink, SubscribeRequest } from './types.ts';

export type SubscriptionState = 'catching-up' | 'live' | 'closed';

export class Subscription {
  readonly sink: Sink;
  readonly onPosition: SubscribeRequest['onPosition'];
  state: SubscriptionState = 'catching-up';
  /** Offset of the last message written. While live the channel's `flushed` stands for it, so that fan-out need not count. */
  position = 0;
  /** A step of its catch-up is under way. */
  advancing = false;

  constructor(sink: Sink, onPosition: SubscribeRequest['onPosition']) {
    this.sink = sink;
    this.onPosition = onPosition;
  }
}
