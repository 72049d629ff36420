/** Decides where a subscription that is catching up gets its next messages from. Pure, without state. */
import type { Segment } from './segment.ts';
import type { Tail } from './tail.ts';

export type CursorStep =
  /** At the tail: fan-out takes over. */
  | { readonly kind: 'live' }
  /** Ahead of this node's tail, because the client comes from a node that was further: nothing to send until the tail gets there. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'window'; readonly segments: readonly Segment[] }
  /** The window begins later: read the history after this offset. */
  | { readonly kind: 'read'; readonly after: number };

/** @param position offset of the last message written to the subscription */
export function nextStep(position: number, tail: Tail): CursorStep {
  if (position === tail.flushed) return { kind: 'live' };
  if (position > tail.flushed) return { kind: 'wait' };
  const segments = tail.windowAfter(position);
  return segments ? { kind: 'window', segments } : { kind: 'read', after: position };
}
