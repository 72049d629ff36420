/** Receives OTLP traces over HTTP as a collector does, and keeps the decoded spans. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import protobuf from 'protobufjs';

export interface ReceivedSpan {
  readonly name: string;
  /** `service.instance.id` of the sender. */
  readonly node: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the root span of a trace. */
  readonly parentSpanId: string;
  /** 3 client, 4 producer, 5 consumer. */
  readonly kind: number;
  /** 2: error. */
  readonly status: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** Span ids. */
  readonly links: readonly string[];
}

/** The part of opentelemetry-proto (trace/v1) that tests read. The field numbers are those of the wire format. */
const PROTO = `syntax = "proto3";
message Request { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeSpans { repeated Span spans = 2; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
  repeated KeyValue attributes = 9; repeated Link links = 13; Status status = 15;
}
message Link { bytes trace_id = 1; bytes span_id = 2; }
message Status { string message = 2; int32 code = 3; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }`;

const Request = protobuf.parse(PROTO, { keepCase: true }).root.lookupType('Request');

interface KeyValue {
  readonly key: string;
  readonly value: { readonly string_value?: string; readonly int_value?: number; readonly double_value?: number };
}

interface WireSpan {
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_span_id?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes?: readonly KeyValue[];
  readonly links?: readonly { readonly span_id: string }[];
  readonly status?: { readonly code?: number };
}

interface WireRequest {
  readonly resource_spans?: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scope_spans: readonly { readonly spans: readonly WireSpan[] }[];
  }[];
}

export class OtlpReceiver {
  /** Value for OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  readonly spans: ReceivedSpan[] = [];
  readonly #close: () => void;

  private constructor(url: string, close: () => void) {
    this.url = url;
    this.#close = close;
  }

  static async start(): Promise<OtlpReceiver> {
    const server = createServer(async (request, response) => {
      const body = await buffer(request);
      if (request.url === '/v1/traces') receiver.spans.push(...decode(body));
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const receiver = new OtlpReceiver(`http://127.0.0.1:${port}`, () => server.close());
    return receiver;
  }

  trace(traceId: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  stop(): void {
    this.#close();
  }
}

function decode(body: Buffer): ReceivedSpan[] {
  const options = { bytes: String, longs: Number } as const;
  const { resource_spans = [] } = Request.toObject(Request.decode(body), options) as WireRequest;
  return resource_spans.flatMap(({ resource, scope_spans }) => {
    const node = String(attributesOf(resource.attributes)['service.instance.id']);
    return scope_spans.flatMap(({ spans }) => spans.map((span) => spanOf(span, node)));
  });
}

function spanOf(span: WireSpan, node: string): ReceivedSpan {
  return {
    name: span.name,
    node,
    traceId: hex(span.trace_id),
    spanId: hex(span.span_id),
    parentSpanId: hex(span.parent_span_id),
    kind: span.kind,
    status: span.status?.code ?? 0,
    attributes: attributesOf(span.attributes),
    links: (span.links ?? []).map(({ span_id }) => hex(span_id)),
  };
}

function attributesOf(list: readonly KeyValue[] = []): Record<string, string | number> {
  return Object.fromEntries(
    list.map(({ key, value }) => [key, value.string_value ?? value.int_value ?? value.double_value ?? '']),
  );
}

const hex = (base64 = '') => Buffer.from(base64, 'base64').toString('hex');
