/**
 * Configuration of the collector beside each node or probe. The collector scrapes the metrics and sends them to managed
 * Prometheus, sends the one metric that autoscaling follows to CloudWatch, and forwards traces to X-Ray. Pure. The text
 * is JSON, which is valid YAML.
 */
import type { ScalingMetric } from '../scaling/policy.ts';

export interface CollectorOptions {
  readonly region: string;
  readonly environment: string;
  /** Managed Prometheus: `https://aps-workspaces.<region>.amazonaws.com/workspaces/<id>/`. */
  readonly prometheusEndpoint: string;
  /** The scraped program: `holdfast` for a node, or `probe`. */
  readonly job: 'holdfast' | 'probe';
  /** Labels added to all metrics. A probe has `zone`, which rules and dashboards group by. */
  readonly labels?: Readonly<Record<string, string>>;
  /**
   * The metric that autoscaling follows, and the log group that receives it in embedded metric format. Only nodes have
   * it.
   */
  readonly scaling?: { readonly metric: ScalingMetric; readonly logGroup: string };
  readonly metricsPort: number;
  /** Memory limit of the collector, MiB. */
  readonly memoryMb: number;
}

/** Ports on the loopback address, which the containers of a task share. */
export const COLLECTOR_PORTS = { otlpHttp: 4_318, health: 13_133 } as const;

/**
 * The shortest range in the rules holds at least two scrapes. CloudWatch evaluates once a minute, so each minute has
 * two scrapes of the scaling metric.
 */
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
      // Identifies the task: the address is 127.0.0.1 for every node.
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
        // Bounded, so that an unreachable workspace does not fill the memory of the task.
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
