/** Starts OpenTelemetry: the Prometheus exporter on a port of its own, and tracing when an endpoint is configured. */
import { createServer, type Server } from 'node:http';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { metrics as metricsApi } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { NodeSDK, resources, tracing } from '@opentelemetry/sdk-node';
import { createMetrics, type Metrics } from './metrics.ts';
import { setSampleRatio } from './tracing.ts';

export interface TelemetryOptions {
  readonly nodeId: string;
  readonly version: string;
  readonly host: string;
  readonly metricsPort: number;
  /** OTLP over HTTP; empty: no tracing. */
  readonly otlpEndpoint: string;
  readonly sampleRatio: number;
}

export interface Telemetry {
  readonly metrics: Metrics;
  readonly port: number;
  /** Flushes the spans and closes the port. */
  stop(): Promise<void>;
}

/** @throws the listen error, such as EADDRINUSE, when the metrics port is taken */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const spanProcessors = options.otlpEndpoint ? [await createSpanProcessor(options.otlpEndpoint)] : [];
  const sdk = new NodeSDK({
    resource: resources.resourceFromAttributes({
      'service.name': 'holdfast',
      'service.version': options.version,
      'service.instance.id': options.nodeId,
    }),
    autoDetectResources: false,
    metricReaders: [exporter],
    spanProcessors,
    logRecordProcessors: [],
    instrumentations: [],
  });
  sdk.start();
  if (options.otlpEndpoint) setSampleRatio(options.sampleRatio);
  const metrics = createMetrics(metricsApi.getMeter('holdfast'));
  observeProcess(metrics);
  const server = createServer((request, response) => {
    if (request.method === 'GET' && request.url?.split('?')[0] === '/metrics')
      exporter.getMetricsRequestHandler(request, response);
    else response.writeHead(404).end();
  });
  const port = await listen(server, options.metricsPort, options.host);
  return {
    metrics,
    port,
    async stop() {
      server.close();
      server.closeAllConnections();
      await sdk.shutdown();
    },
  };
}

async function createSpanProcessor(endpoint: string) {
  // Loaded only when used: the exporter is a tenth of a second of start-up time.
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
  return new tracing.BatchSpanProcessor(new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` }));
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}

/** Event loop and memory. Lag and utilization are since the last scrape, so one scraper should own them. */
function observeProcess(metrics: Metrics): void {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  // The monitor measures its own 10 ms timer: what exceeds it is lag.
  const lag = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - 0.01);
  metrics.observe('holdfast.event.loop.lag.seconds', () => lag(delay.percentile(50)), { quantile: '0.5' });
  metrics.observe('holdfast.event.loop.lag.seconds', () => lag(delay.percentile(99)), { quantile: '0.99' });
  metrics.observe(
    'holdfast.event.loop.lag.seconds',
    () => {
      const worst = lag(delay.max);
      delay.reset();
      return worst;
    },
    { quantile: '1' },
  );
  let previous = performance.eventLoopUtilization();
  metrics.observe('holdfast.event.loop.utilization.ratio', () => {
    const current = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(current, previous);
    previous = current;
    return utilization;
  });
  metrics.observe('holdfast.memory.bytes', () => process.memoryUsage.rss(), { kind: 'resident' });
  metrics.observe('holdfast.memory.bytes', () => process.memoryUsage().heapUsed, { kind: 'heap' });
  metrics.observe('holdfast.memory.bytes', () => process.memoryUsage().external, { kind: 'external' });
}
