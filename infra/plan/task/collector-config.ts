/**
 * What the collector beside each node does: scrapes the node's metrics, sends them to managed Prometheus, the one that
 * autoscaling follows to CloudWatch, and the node's traces to X-Ray. Pure; the text is YAML, as any JSON is.
 */
import type { ScalingMetric } from '../scaling/policy.ts';

export interface CollectorOptions {
  readonly region: string;
  readonly environment: string;
  /** Managed Prometheus: `https://aps-workspaces.<region>.amazonaws.com/workspaces/<id>/`. */
  readonly prometheusEndpoint: string;
  /** What is scraped: `holdfast`, a node, or `probe`. */
  readonly job: 'holdfast' | 'probe';
  /** Labels of everything scraped, besides the task: a probe's `zone`, which rules and dashboards go by. */
  readonly labels?: Readonly<Record<string, string>>;
  /** What CloudWatch is told for autoscaling, and the log group where it is written as embedded-metric-format lines. */
  readonly scaling?: { readonly metric: ScalingMetric; readonly logGroup: string };
  readonly metricsPort: number;
  /** MiB that the collector may use. */
  readonly memoryMb: number;
}

/** Ports on the task's own loopback. */
export const COLLECTOR_PORTS = { otlpHttp: 4_318, health: 13_133 } as const;

/** As often as the rules look back at least twice; the scaling metric twice a minute, as CloudWatch looks once a minute. */
const SCRAPE_SECONDS = 15;
const SCALING_SCRAPE_SECONDS = 30;

/** The configuration of the AWS distribution of the OpenTelemetry collector, for its variable AOT_CONFIG_CONTENT. */
export function collectorConfig(options: CollectorOptions): string {
  const { region, scaling } = options;
  const scalingPart = scaling ? scalingPipeline(options, scaling) : NOTHING;
  return JSON.stringify({
    extensions: {
      health_check: { endpoint: `127.0.0.1:${COLLECTOR_PORTS.health}` },
      sigv4auth: { region, service: 'aps' },
    },
    receivers: {
      prometheus: { config: { scrape_configs: [scrape(options, SCRAPE_SECONDS)] } },
      otlp: { protocols: { http: { endpoint: `127.0.0.1:${COLLECTOR_PORTS.otlpHttp}` } } },
      ...scalingPart.receivers,
    },
    processors: {
      memory_limiter: {
        check_interval: '1s',
        limit_mib: Math.floor(options.memoryMb * 0.8),
        spike_limit_mib: Math.floor(options.memoryMb * 0.2),
      },
      // Which task: all nodes are 127.0.0.1 to their collectors.
      resourcedetection: { detectors: ['env', 'ecs'], timeout: '5s', override: true },
      resource: {
        attributes: [{ key: 'service.instance.id', from_attribute: 'aws.ecs.task.id', action: 'upsert' }],
      },
      batch: { timeout: '5s', send_batch_size: 1_000, send_batch_max_size: 2_000 },
    },
    exporters: {
      prometheusremotewrite: {
        endpoint: `${options.prometheusEndpoint}api/v1/remote_write`,
        auth: { authenticator: 'sigv4auth' },
        external_labels: { environment: options.environment },
        // Bounded: a workspace that is away must not fill the task's memory.
        remote_write_queue: { enabled: true, queue_size: 2_000, num_consumers: 2 },
      },
      awsxray: { region },
      ...scalingPart.exporters,
    },
    service: {
      extensions: ['health_check', 'sigv4auth'],
      pipelines: {
        metrics: {
          receivers: ['prometheus'],
          processors: ['memory_limiter', 'resourcedetection', 'resource', 'batch'],
          exporters: ['prometheusremotewrite'],
        },
        traces: {
          receivers: ['otlp'],
          processors: ['memory_limiter', 'resourcedetection', 'batch'],
          exporters: ['awsxray'],
        },
        ...scalingPart.pipelines,
      },
    },
  });
}

const NOTHING = { receivers: {}, exporters: {}, pipelines: {} };

function scalingPipeline(options: CollectorOptions, { metric, logGroup }: NonNullable<CollectorOptions['scaling']>) {
  const keep = { source_labels: ['__name__'], regex: metric.name, action: 'keep' };
  return {
    receivers: {
      'prometheus/scaling': {
        config: {
          scrape_configs: [
            { ...scrape(options, SCALING_SCRAPE_SECONDS, metric.dimensions), metric_relabel_configs: [keep] },
          ],
        },
      },
    },
    exporters: {
      awsemf: {
        region: options.region,
        namespace: metric.namespace,
        log_group_name: logGroup,
        log_stream_name: '{TaskId}',
        dimension_rollup_option: 'NoDimensionRollup',
        metric_declarations: [
          { dimensions: [Object.keys(metric.dimensions)], metric_name_selectors: [`^${metric.name}$`] },
        ],
      },
    },
    pipelines: {
      'metrics/scaling': {
        receivers: ['prometheus/scaling'],
        processors: ['memory_limiter', 'resourcedetection'],
        exporters: ['awsemf'],
      },
    },
  };
}

function scrape(options: CollectorOptions, seconds: number, labels: Readonly<Record<string, string>> = {}) {
  return {
    job_name: options.job,
    scrape_interval: `${seconds}s`,
    scrape_timeout: '10s',
    static_configs: [{ targets: [`127.0.0.1:${options.metricsPort}`], labels: { ...options.labels, ...labels } }],
  };
}
