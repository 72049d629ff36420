/**
 * Spans of a message: publish, commit, publish to Redis, and fan-out on each node. Sampling is decided before the tracer is
 * called, so that an untraced publish costs one comparison. There is one span per node and batch, never one per connection,
 * so that the size of a trace does not depend on the number of subscribers. The span of a batch is a child of the first
 * traced publish in it and linked to all of them, as the messaging conventions of OpenTelemetry require.
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

/** Turns tracing on: for publishes whose caller sampled them, and for this share (0 to 1) of the others. Called once at start. */
export function setSampleRatio(ratio: number): void {
  sampleRatio = ratio;
}

const tracer = () => trace.getTracer('holdfast');

/** The span of a traced publish: its context for other spans to link to, and the ways to end it. */
export interface PublishSpan {
  readonly traceparent: string;
  end(stored: { readonly id: string; readonly offset: number }): void;
  fail(error: unknown): void;
}

/**
 * Starts the span of a publish, or returns undefined when it is not sampled.
 * @param incoming traceparent of the caller; when it is sampled, so is the publish
 */
export function startPublish(channel: string, incoming?: string): PublishSpan | undefined {
  if (sampleRatio === undefined) return undefined;
  const isCallerSampled = incoming?.endsWith('-01') === true;
  if (!isCallerSampled && Math.random() >= sampleRatio) return undefined;
  const parent = isCallerSampled ? contextOf(incoming) : ROOT_CONTEXT;
  const attributes = { ...messaging('publish', 'send'), 'messaging.destination.name': channel };
  const span = tracer().startSpan('publish', { kind: SpanKind.PRODUCER, attributes }, parent);
  const { traceId, spanId } = span.spanContext();
  return {
    traceparent: `00-${traceId}-${spanId}-01`,
    end({ id, offset }) {
      span.setAttribute('messaging.message.id', id);
      span.setAttribute('holdfast.offset', offset);
      span.end();
    },
    fail(error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: String((error as Error).message) });
      span.end();
    },
  };
}

const NO_OP = () => {};

/** Starts the span of a commit when one of its publishes is traced. The returned function ends it. */
export function recordCommit(traceparents: readonly (string | undefined)[]): (messages: number) => void {
  const traced = traceparents.filter((value) => value !== undefined);
  if (traced.length === 0) return NO_OP;
  const attributes = { 'db.system.name': 'postgresql', 'db.stored_procedure.name': 'append_messages' };
  const span = tracer().startSpan(
    'commit',
    { kind: SpanKind.CLIENT, links: linksTo(traced), attributes },
    contextOf(traced[0] as string),
  );
  return (messages) => {
    span.setAttribute('messaging.batch.message_count', messages);
    span.end();
  };
}

/** Starts the span of a publish to Redis when the batch contains a traced publish. The returned function ends it. */
export function recordBackplanePublish(traceparent: string | undefined): (error?: unknown) => void {
  if (traceparent === undefined) return NO_OP;
  const attributes = { 'db.system.name': 'redis', 'db.operation.name': 'PUBLISH' };
  const options = { kind: SpanKind.CLIENT, attributes, links: linksTo([traceparent]) };
  const span = tracer().startSpan('publish to Redis', options, contextOf(traceparent));
  return (error) => {
    if (error) span.setStatus({ code: SpanStatusCode.ERROR, message: String((error as Error).message) });
    span.end();
  };
}

export interface FanOut {
  /** Traceparents of the traced publishes in it. */
  readonly traceparents: readonly string[];
  readonly channel: string;
  readonly messages: number;
  readonly recipients: number;
  /** Duration, seconds. */
  readonly seconds: number;
}

/** Records the span of a fan-out that has just ended. */
export function recordFanout({ traceparents, channel, messages, recipients, seconds }: FanOut): void {
  const [first] = traceparents;
  if (first === undefined || sampleRatio === undefined) return;
  const attributes = {
    ...messaging('fan-out', 'process'),
    'messaging.destination.name': channel,
    'messaging.batch.message_count': messages,
    'holdfast.recipients': recipients,
  };
  const startTime = Date.now() - seconds * 1000;
  const options = { kind: SpanKind.CONSUMER, attributes, links: linksTo(traceparents), startTime };
  tracer().startSpan('fan-out', options, contextOf(first)).end();
}

/** Returns the trace id of a sampled traceparent, for log lines. */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  return /^00-([0-9a-f]{32})-[0-9a-f]{16}-01$/.exec(traceparent ?? '')?.[1];
}

const messaging = (name: string, type: 'send' | 'process') => ({
  'messaging.system': 'holdfast',
  'messaging.operation.name': name,
  'messaging.operation.type': type,
});

function contextOf(traceparent: string | undefined): Context {
  return propagation.extract(context.active(), { traceparent });
}

function linksTo(traceparents: readonly string[]): Link[] {
  return traceparents
    .map((value) => trace.getSpanContext(contextOf(value)))
    .filter((spanContext): spanContext is SpanContext => spanContext !== undefined)
    .map((spanContext) => ({ context: spanContext }));
}
