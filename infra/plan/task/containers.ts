/** ECS container definitions of a node and of the collector beside it. Pure. */
import { HEALTH_CHECK } from './health-check.ts';

/** The fields of ECS's ContainerDefinition that are used here, under their AWS names. */
export interface ContainerDefinition {
  readonly name: string;
  readonly image: string;
  readonly essential: boolean;
  readonly entryPoint?: readonly string[];
  readonly command?: readonly string[];
  readonly cpu?: number;
  readonly memory?: number;
  readonly memoryReservation?: number;
  readonly user?: string;
  readonly privileged: false;
  readonly readonlyRootFilesystem: boolean;
  readonly linuxParameters: {
    readonly capabilities: { readonly drop: readonly string[] };
    readonly initProcessEnabled?: boolean;
  };
  readonly portMappings?: readonly { readonly containerPort: number; readonly protocol: 'tcp' }[];
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  readonly secrets?: readonly { readonly name: string; readonly valueFrom: string }[];
  readonly ulimits?: readonly { readonly name: string; readonly softLimit: number; readonly hardLimit: number }[];
  readonly stopTimeout?: number;
  readonly healthCheck?: {
    readonly command: readonly string[];
    readonly interval: number;
    readonly timeout: number;
    readonly retries: number;
    readonly startPeriod: number;
  };
  readonly restartPolicy?: { readonly enabled: boolean; readonly restartAttemptPeriod: number };
  readonly mountPoints?: readonly {
    readonly sourceVolume: string;
    readonly containerPath: string;
    readonly readOnly: boolean;
  }[];
  readonly dependsOn?: readonly {
    readonly containerName: string;
    readonly condition: 'START' | 'HEALTHY' | 'SUCCESS';
  }[];
  readonly logConfiguration: {
    readonly logDriver: 'awslogs';
    readonly options: Readonly<Record<string, string>>;
  };
}

export interface LogTarget {
  readonly group: string;
  readonly region: string;
}

/**
 * The AWS distribution of the OpenTelemetry collector, which has exporters for managed Prometheus, CloudWatch and
 * X-Ray.
 */
export const COLLECTOR_IMAGE = 'public.ecr.aws/aws-observability/aws-otel-collector:v0.43.3';
/** Share of the collector in the task: memory in MiB, and CPU units. */
export const COLLECTOR_MEMORY_MB = 256;
const COLLECTOR_CPU = 128;

/**
 * Sends the output of a container to CloudWatch without blocking the container. When the 8 MiB buffer is full, log
 * lines are dropped.
 */
export function logTo({ group, region }: LogTarget, stream: string): ContainerDefinition['logConfiguration'] {
  return {
    logDriver: 'awslogs',
    options: {
      'awslogs-group': group,
      'awslogs-region': region,
      'awslogs-stream-prefix': stream,
      mode: 'non-blocking',
      'max-buffer-size': '8m',
    },
  };
}

/** Environment variables as ECS expects them. Sorted, so that a plan shows only real changes. */
export function pairs(values: Readonly<Record<string, string>>): { name: string; value: string }[] {
  return Object.entries(values)
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

export interface NodeContainerOptions {
  readonly image: string;
  readonly port: number;
  readonly environment: Readonly<Record<string, string>>;
  /** Name -> ARN of the secret. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Limit of open files: one per connection, and a margin. */
  readonly maxFiles: number;
  /** Time between SIGTERM and SIGKILL, seconds. */
  readonly stopTimeout: number;
  /**
   * Hard limit, MiB. Without it Node.js reads the memory of the host instead of the limit at which the kernel kills it.
   */
  readonly memoryMb: number;
  readonly log: LogTarget;
}

export function nodeContainer(options: NodeContainerOptions): ContainerDefinition {
  return {
    name: 'server',
    image: options.image,
    essential: true,
    memory: options.memoryMb,
    user: '10001:10001',
    ...HARDENED,
    portMappings: [{ containerPort: options.port, protocol: 'tcp' }],
    environment: pairs(options.environment),
    secrets: Object.entries(options.secrets).map(([name, valueFrom]) => ({ name, valueFrom })),
    ulimits: [{ name: 'nofile', softLimit: options.maxFiles, hardLimit: options.maxFiles }],
    stopTimeout: options.stopTimeout,
    healthCheck: { command: ['CMD', ...HEALTH_CHECK], interval: 10, timeout: 5, retries: 3, startPeriod: 60 },
    logConfiguration: logTo(options.log, 'server'),
  };
}

/**
 * Not essential: if it fails, metrics and traces are missing (alarm ScalingMetricMissing), but no connection is lost.
 * ECS restarts it.
 */
export function collectorContainer(config: string, log: LogTarget): ContainerDefinition {
  return {
    name: 'collector',
    image: COLLECTOR_IMAGE,
    essential: false,
    cpu: COLLECTOR_CPU,
    memory: COLLECTOR_MEMORY_MB,
    ...HARDENED,
    environment: pairs({ AOT_CONFIG_CONTENT: config }),
    restartPolicy: { enabled: true, restartAttemptPeriod: 60 },
    logConfiguration: logTo(log, 'collector'),
  };
}

const HARDENED = {
  privileged: false,
  readonlyRootFilesystem: true,
  linuxParameters: { capabilities: { drop: ['ALL'] } },
} as const;
