/**
 * Spans of a message's way: publish, commit, publish to Redis, fan-out on each node. Whether a publish is traced is decided
 * before the tracer is touched, so that an untraced one costs a comparison. One span per node and batch, never one per
 * connection, so that a trace stays small however many subscribers there are. A batch belongs to the first traced
 * publish in it and is linked to all of them, as the messaging conventions of OpenTelemetry ask.
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
  end(stored: { readonly id: string; readonly offset: number }): void;
  fail(error: unknown): void;
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

/** Begins the span of a commit when one of its publishes is traced: a child of the first, linked to all. */
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

/** Begins the span of handing a batch to Redis, when it has a traced publish in it. The result ends it. */
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

export interface Fanout {
  /** Of the publishes in it, those that are traced. */
  readonly traceparents: readonly string[];
  readonly channel: string;
  readonly messages: number;
  readonly recipients: number;
  /** How long it took; it has just ended. */
  readonly seconds: number;
}

/** Records the span of a fan-out that has just ended: one, whatever was in it. */
export function recordFanout({ traceparents, channel, messages, recipients, seconds }: Fanout): void {
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

/** For log lines: the trace that a traceparent belongs to. */
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
