/**
 * Spans of a message's way: publish, commit, fan-out on each node. Whether a publish is traced is decided before the
 * tracer is touched, so that an untraced one costs a comparison. Spans of other requests are linked, not nested:
 * a fan-out that hung under its publish would make traces of any size.
 */
import {
  type Context,
  context,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';

/** Undefined: tracing is off. */
let sampleRatio: number | undefined;

/** Turns tracing on: for publishes whose caller samples them, and this share (0 to 1) of the others. Called once at start. */
export function setSampleRatio(ratio: number): void {
  sampleRatio = ratio;
}

const tracer = () => trace.getTracer('holdfast');

/** A publish that is traced: its context for others to link to, and how to end it. */
export interface PublishSpan {
  readonly traceparent: string;
  end(error?: unknown): void;
}

/**
 * Begins the span of a publish if this one is sampled, else returns undefined.
 * @param incoming the caller's traceparent; one that is sampled is always followed
 */
export function startPublish(channel: string, incoming?: string): PublishSpan | undefined {
  if (sampleRatio === undefined) return undefined;
  const followed = incoming?.endsWith('-01') === true;
  if (!followed && Math.random() >= sampleRatio) return undefined;
  const parent = followed ? contextOf(incoming) : ROOT_CONTEXT;
  const attributes = { 'messaging.operation.name': 'publish', 'messaging.destination.name': channel };
  const span = tracer().startSpan('publish', { kind: SpanKind.PRODUCER, attributes }, parent);
  const { traceId, spanId } = span.spanContext();
  return {
    traceparent: `00-${traceId}-${spanId}-01`,
    end(error) {
      if (error) span.setStatus({ code: SpanStatusCode.ERROR, message: String((error as Error).message) });
      span.end();
    },
  };
}

const NO_OP = () => {};

/** Begins the span of a commit when one of its publishes is traced: a child of the first, linked to all. */
export function recordCommit(traceparents: readonly (string | undefined)[]): (messages: number) => void {
  const traced = traceparents.filter((value) => value !== undefined);
  if (traced.length === 0) return NO_OP;
  const span = tracer().startSpan(
    'commit',
    { kind: SpanKind.CLIENT, links: linksTo(traced) },
    contextOf(traced[0] as string),
  );
  return (messages) => {
    span.setAttribute('messaging.batch.message_count', messages);
    span.end();
  };
}

/** Records the span of a fan-out that began `seconds` ago, linked to the publish that caused it. */
export function recordFanout(traceparent: string, channel: string, recipients: number, seconds: number): void {
  const attributes = {
    'messaging.operation.name': 'process',
    'messaging.destination.name': channel,
    'holdfast.recipients': recipients,
  };
  const options = {
    kind: SpanKind.CONSUMER,
    attributes,
    links: linksTo([traceparent]),
    startTime: Date.now() - seconds * 1000,
  };
  tracer().startSpan('fan-out', options, contextOf(traceparent)).end();
}

function contextOf(traceparent: string | undefined): Context {
  return propagation.extract(context.active(), { traceparent });
}

function linksTo(traceparents: readonly string[]): Link[] {
  return traceparents
    .map((value) => trace.getSpanContext(contextOf(value)))
    .filter((spanContext): spanContext is SpanContext => spanContext !== undefined)
    .map((spanContext) => ({ context: spanContext }));
}
