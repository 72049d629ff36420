/** What an environment is: every size, limit and time of a deployment, each with its unit. Types only; the values are in `values.ts`. */
export const ENVIRONMENT_NAMES = ['dev', 'staging', 'prod'] as const;
export type EnvironmentName = (typeof ENVIRONMENT_NAMES)[number];

export interface NetworkSettings {
  /** Address range of the VPC; at least a /20, because every task has an address of its own. */
  readonly cidr: string;
  /** Availability zones used: three survive the loss of one at two thirds of the capacity, two at half. */
  readonly zones: 2 | 3;
  /**
   * How private subnets reach the internet and the AWS APIs. `one`: one NAT gateway, cheap, and gone with its zone.
   * `per-zone`: one in each.
   */
  readonly nat: 'one' | 'per-zone';
  /** Interface endpoints for ECR, logs, secrets and metrics: that traffic then needs no NAT. About $7 a month each and zone. */
  readonly endpoints: boolean;
  readonly flowLogDays: number;
}

export interface PostgresSettings {
  readonly version: string;
  readonly instanceClass: string;
  readonly storageGb: number;
  /** Storage grows by itself up to this. */
  readonly maxStorageGb: number;
  readonly multiAz: boolean;
  /** Days of backups; any second of them can be restored. */
  readonly backupDays: number;
  /** Keep a snapshot, and the backups, when the database is destroyed; also once the environment is no longer protected. */
  readonly finalSnapshot: boolean;
  /** Days of messages to keep, 0: all (HISTORY_RETENTION_DAYS). */
  readonly retentionDays: number;
}

export interface RedisSettings {
  readonly engine: 'redis' | 'valkey';
  readonly version: string;
  readonly nodeType: string;
  /** Further nodes to fail over to, in other zones. 0: a Redis that is gone is gone until AWS has replaced it; Holdfast then works degraded. */
  readonly replicas: number;
  /**
   * Shards of cluster mode: channels are spread over as many primaries by sharded Pub/Sub. 0: one primary, which is enough
   * for most. From 0 to some and back is another Redis: until the service stack follows, nodes work degraded.
   */
  readonly shards: number;
}

export interface ServiceSettings {
  readonly architecture: 'ARM64' | 'X86_64';
  /** CPU units, 1,024 to a vCPU, and MiB, in a combination that Fargate knows. */
  readonly cpu: number;
  readonly memoryMb: number;
  readonly minTasks: number;
  readonly maxTasks: number;
  /** Connections per task that autoscaling aims at. */
  readonly targetConnections: number;
  /** Connections a task accepts (MAX_CONNECTIONS). Above the target: room for a herd, and for the time a new task takes. */
  readonly maxConnections: number;
  readonly targetCpuPercent: number;
  /**
   * Seconds after a scale-out before the next: what CloudWatch is late by, and what a task takes to start. With less, the
   * same connections are answered twice, and tasks are taken out again soon after.
   */
  readonly scaleOutCooldown: number;
  /**
   * Percent of the targets (connections and CPU, both) below which tasks are taken out. Well below 100: what is left must
   * not be over its target right away, or tasks come and go, and each time clients reconnect.
   */
  readonly scaleInBelowPercent: number;
  /** Seconds after a scale-in before the next: long, as each one makes clients reconnect. */
  readonly scaleInCooldown: number;
  /** Seconds. The ALB ends connections that are silent for longer; must exceed the heartbeat. */
  readonly idleTimeout: number;
  /** Seconds between deregistration and SIGTERM: the time a drain has. At most 3,600. */
  readonly deregistrationDelay: number;
  /** Connections per second that a drain moves (DRAIN_RATE). */
  readonly drainRate: number;
  /** New connections per second that a task accepts (ACCEPT_RATE). */
  readonly acceptRate: number;
  /** Requests of one address in five minutes, before the WAF refuses them. */
  readonly wafRequestsPerAddress: number;
  /** Further settings of the server, by the names in server/config.ts. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface ObservabilitySettings {
  readonly logDays: number;
  /** Where alarms and alerts are sent besides the topic. */
  readonly onCallEmail: string | undefined;
  /** Grafana, under `grafana-<host>`, for these address ranges only; undefined: none. Needs a domain. */
  readonly grafana: { readonly cidrs: readonly string[] } | undefined;
  readonly probes: boolean;
  /**
   * Where an issuer of your own signs tokens (AUTH_JWKS_URL), the probes cannot make theirs: a secret in Secrets Manager with
   * a token that may publish to and subscribe to `probe:*`. Undefined: they sign with the nodes' key.
   */
  readonly probeTokenArn: string | undefined;
  /** Where people read the folder `runbooks`, as alerts and dashboards link to it. No slash at the end. */
  readonly runbooksUrl: string;
  /** Share of publishes that are traced. */
  readonly traceRatio: number;
}

/** Under which name clients connect. */
export interface DomainSettings {
  /** A hosted zone in Route 53. */
  readonly zone: string;
  /** In that zone: `realtime.example.com`. */
  readonly host: string;
}

export type StateSettings =
  | { readonly backend: 'local' }
  | { readonly backend: 's3'; readonly bucket: string; readonly region: string; readonly kmsKeyId: string | undefined };

export interface Environment {
  readonly name: EnvironmentName;
  readonly region: string;
  /** Deletion protection, final snapshots, long retention: what must not be lost by a mistake. */
  readonly protected: boolean;
  /** Without one clients connect to the load balancer's own name, over plain HTTP: for development only. */
  readonly domain: DomainSettings | undefined;
  readonly network: NetworkSettings;
  readonly postgres: PostgresSettings;
  readonly redis: RedisSettings;
  readonly service: ServiceSettings;
  readonly observability: ObservabilitySettings;
  readonly state: StateSettings;
  /** Raise it to have new signing keys made. Tokens signed with the old one are refused from the next deployment on. */
  readonly secretsVersion: number;
  readonly tags: Readonly<Record<string, string>>;
}
