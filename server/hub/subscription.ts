/** One connection's cursor into one channel. `subscribers.ts` changes its state; `catch-up.ts` moves its position. */
import type { Sink, SubscribeRequest } from './types.ts';

export type SubscriptionState = 'catching-up' | 'live' | 'closed';

export class Subscription {
  readonly sink: Sink;
  readonly onPosition: SubscribeRequest['onPosition'];
  state: SubscriptionState = 'catching-up';
  /** Offset of the last message written. Not kept up to date while live: then it is `flushed` of the tail. */
  position = 0;
  /** A run of `CatchUp` is in progress. */
  advancing = false;

  constructor(sink: Sink, onPosition: SubscribeRequest['onPosition']) {
    this.sink = sink;
    this.onPosition = onPosition;
  }
}
