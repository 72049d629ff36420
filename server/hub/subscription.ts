/**
 * The subscription of one connection to one channel, with its cursor. `subscribers.ts` sets its state and where a
 * catch-up begins; `catch-up.ts` moves the position forward.
 */
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
