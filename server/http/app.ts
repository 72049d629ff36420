/**
 * The HTTP server of a node: Fastify with limits, routes, one error format and the OpenAPI document. WebSocket upgrades
 * arrive at the same server, but only the gateway handles them.
 */
import cors from '@fastify/cors';
import swagger from '@fastify/swagger';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { AppError, errorBody, toAppError } from '../errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { traceIdOf } from '../telemetry/tracing.ts';
import { addDemoPage } from './demo.ts';
import { addHealthRoutes, type Readiness } from './health.ts';
import { addMessageRoutes, type MessageRoutesOptions } from './messages.ts';
import { convertQueryIntegers } from './query-integers.ts';
import { addTicketRoute } from './tickets.ts';
import { answerUnparsed } from './unparsed.ts';
import { describeValidation } from './validation-errors.ts';

export interface HttpOptions extends MessageRoutesOptions {
  readonly nodeId: string;
  readonly version: string;
  readonly maxPayloadBytes: number;
  /** Most TCP connections, WebSockets included; further ones are closed at once. */
  readonly maxConnections: number;
  /** How long an idle connection stays open, milliseconds. */
  readonly keepAliveMs: number;
  readonly allowedOrigins: readonly string[];
  readonly demoPage: boolean;
  readonly readiness: () => Readiness;
  readonly metrics: Metrics;
  readonly log: FastifyBaseLogger;
}

/** How long a request may take to arrive. Slower clients would hold sockets. */
const REQUEST_TIMEOUT_MS = 15_000;
/** How long its headers may take. */
const HEADERS_TIMEOUT_MS = 10_000;
/** How often Node.js checks both timeouts. With its default of 30 s a request could take 45 s. */
const TIMEOUT_CHECK_MS = 2_000;

export async function createHttpApp(options: HttpOptions): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: options.log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.maxPayloadBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_CHECK_MS },
    clientErrorHandler: (error, socket) => answerUnparsed(error, socket, options.metrics),
    keepAliveTimeout: options.keepAliveMs,
    // `__proto__` in `data` is accepted: data is stored as text and never merged into an object.
    onProtoPoisoning: 'ignore',
    onConstructorPoisoning: 'ignore',
    schemaErrorFormatter: (errors, part) => new Error(describeValidation(errors, part)),
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allErrors: false } },
    forceCloseConnections: true,
    // Errors before a route is found: a path that cannot be decoded.
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply, options.metrics),
  });
  convertQueryIntegers(app);
  setErrorFormat(app, options.metrics);
  await app.register(cors, {
    origin: options.allowedOrigins.includes('*') ? '*' : [...options.allowedOrigins],
    maxAge: 600,
  });
  await app.register(swagger, { openapi: describeApi(options.version) });
  addHealthRoutes(app, options.nodeId, options.readiness);
  addTicketRoute(app, options.authenticator);
  addMessageRoutes(app, options);
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
  if (options.demoPage) await addDemoPage(app);
  // WebSockets count too, because they are TCP connections of the same server.
  app.server.maxConnections = options.maxConnections;
  app.server.on('drop', () => options.metrics.add('holdfast.connections.dropped', 1));
  await app.ready();
  return app;
}

function setErrorFormat(app: FastifyInstance, metrics: Metrics): void {
  app.setErrorHandler<FastifyError | AppError>((thrown, request, reply) =>
    answerError(thrown, request, reply, metrics),
  );
  app.setNotFoundHandler((request) => {
    throw new AppError(
      'not_found',
      `There is no route ${request.method} ${request.url.split('?')[0]}; GET /openapi.json lists them.`,
    );
  });
}

function answerError(
  thrown: FastifyError | AppError,
  request: Pick<FastifyRequest, 'log' | 'headers'>,
  reply: FastifyReply,
  metrics: Metrics,
): FastifyReply {
  const error = fromFastify(thrown);
  metrics.add('holdfast.errors', 1, { code: error.code });
  if (error.code === 'internal') {
    const { traceparent } = request.headers;
    const traceId = traceIdOf(typeof traceparent === 'string' ? traceparent : undefined);
    request.log.error(
      { err: error.cause, ...(traceId && { trace_id: traceId }) },
      'An HTTP request failed with an unexpected error.',
    );
  }
  if (error.retryAfterMs !== undefined) void reply.header('retry-after', Math.ceil(error.retryAfterMs / 1000));
  return reply
    .code(error.httpStatus)
    .type('application/json')
    .serializer(JSON.stringify)
    .send({ ok: false, error: errorBody(error) });
}

/** Converts the errors of Fastify (validation, body parsing, limits) to codes of the list. */
function fromFastify(error: FastifyError | AppError): AppError {
  if (error instanceof AppError) return error;
  if (error.validation) return new AppError('bad_request', `${error.message}.`);
  if (error.statusCode === 413)
    return new AppError('too_large', 'The body is larger than MAX_PAYLOAD_BYTES; send a smaller message.');
  if (error.statusCode !== undefined && error.statusCode < 500) return new AppError('bad_request', error.message);
  return toAppError(error);
}

function describeApi(version: string) {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      version,
      description:
        'Publish messages and read the history over HTTP. Subscribe over WebSocket at /ws (sub-protocol holdfast.v1).',
    },
    components: { securitySchemes: { bearer: { type: 'http' as const, scheme: 'bearer', bearerFormat: 'JWT' } } },
  };
}
