/**
 * Fan-out: writes the new messages of one channel to its live subscriptions, and records metrics and a span. Never reads and
 * never waits.
 */
import type { Metrics } from '../telemetry/metrics.ts';
import { recordFanout } from '../telemetry/tracing.ts';
import type { Clock } from './clock.ts';
import { type Piece, type Segment, toPieces } from './segment.ts';
import type { Subscribers } from './subscribers.ts';
import type { Subscription } from './subscription.ts';

export interface FanOutContext {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Most bytes per write to a connection. A connection can exceed its high-water mark by this much. */
  readonly writeBytesMax: number;
}

/** Clocks that NTP keeps differ by less. A commit that is further in the future counts as a clock disagreement. */
const CLOCK_TOLERANCE_MS = 20;

export function fanOut(
  channel: string,
  segments: readonly Segment[],
  subscribers: Subscribers,
  context: FanOutContext,
): void {
  const recipients = subscribers.live.size;
  if (recipients === 0) return;
  const begin = context.clock.now();
  const pieces = toPieces(segments, context.writeBytesMax);
  for (const subscription of subscribers.live) write(subscription, pieces, subscribers);
  const seconds = (context.clock.now() - begin) / 1000;
  record(channel, segments, recipients, seconds, context.metrics);
}

function write(subscription: Subscription, pieces: readonly Piece[], subscribers: Subscribers): void {
  for (const { bytes, last } of pieces) {
    if (subscription.sink.write(bytes)) continue;
    subscribers.fallBehind(subscription, last);
    return;
  }
}

function record(
  channel: string,
  segments: readonly Segment[],
  recipients: number,
  seconds: number,
  metrics: Metrics,
): void {
  const newest = segments.at(-1) as Segment;
  const messages = newest.last - (segments[0] as Segment).first + 1;
  metrics.add('holdfast.deliveries', messages * recipients);
  const now = Date.now();
  // One value per segment: after a pause one flush writes everything that is late.
  for (const { oldest } of segments) metrics.record('holdfast.delivery.lag.seconds', Math.max(0, now - oldest) / 1000);
  if (now - newest.newest < -CLOCK_TOLERANCE_MS) metrics.add('holdfast.clock.disagreements', 1);
  metrics.record('holdfast.fanout.recipients', recipients);
  const traceparents = segments.flatMap((segment) => segment.traceparent ?? []);
  recordFanout({ traceparents, channel, messages, recipients, seconds });
}
