/** Starts OpenTelemetry: the Prometheus exporter on its own port, and tracing when an OTLP endpoint is set. */
import { createServer, type Server } from 'node:http';
import { metrics as metricsApi } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { NodeSDK, resources, tracing } from '@opentelemetry/sdk-node';
import type { Catalogue } from './definition.ts';
import { createInstruments, type Instruments } from './metrics.ts';
import { setSampleRatio } from './tracing.ts';

export interface TelemetryOptions<C extends Catalogue> {
  /** `service.name` of the exported metrics and spans. */
  readonly service: 'holdfast' | 'holdfast-probe';
  readonly instanceId: string;
  readonly version: string;
  readonly catalogue: C;
  readonly host: string;
  readonly metricsPort: number;
  /** Base URL of OTLP over HTTP. Empty: no tracing. */
  readonly otlpEndpoint: string;
  readonly sampleRatio: number;
}

export interface Telemetry<C extends Catalogue> {
  readonly metrics: Instruments<C>;
  readonly port: number;
  /** Closes the port and sends the remaining spans. */
  stop(): Promise<void>;
}

/** @throws the listen error, such as EADDRINUSE when the metrics port is in use */
export async function startTelemetry<C extends Catalogue>(options: TelemetryOptions<C>): Promise<Telemetry<C>> {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const spanProcessors = options.otlpEndpoint ? [await createSpanProcessor(options.otlpEndpoint)] : [];
  const sdk = new NodeSDK({
    resource: resources.resourceFromAttributes({
      'service.name': options.service,
      'service.version': options.version,
      'service.instance.id': options.instanceId,
    }),
    autoDetectResources: false,
    metricReaders: [exporter],
    spanProcessors,
    logRecordProcessors: [],
    instrumentations: [],
  });
  sdk.start();
  if (options.otlpEndpoint) setSampleRatio(options.sampleRatio);
  const metrics = createInstruments(metricsApi.getMeter('holdfast'), options.catalogue);
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
  // Imported only when used, because the exporter takes about 0.1 s to load.
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
