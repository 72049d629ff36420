/**
 * The type of an environment: every size, limit and time of a deployment, each with its unit. Types only; the values
 * are in `values.ts`.
 */
export const ENVIRONMENT_NAMES = ['dev', 'staging', 'prod'] as const;
export type EnvironmentName = (typeof ENVIRONMENT_NAMES)[number];

export interface NetworkSettings {
  /** Address range of the VPC, `/16` to `/20`: every task takes one address. */
  readonly cidr: string;
  /** Availability zones in use. When one fails, three zones keep two thirds of the capacity, two zones keep half. */
  readonly zones: 2 | 3;
  /**
   * How private subnets reach the internet and AWS APIs without an endpoint. `one`: one NAT gateway, cheaper; when its
   * zone fails, all zones lose the internet. `per-zone`: one NAT gateway in each zone.
   */
  readonly nat: 'one' | 'per-zone';
  /**
   * Interface endpoints for ECR, logs, secrets, metrics and traces, so that this traffic avoids NAT. Each costs about
   * $7 a month and zone.
   */
  readonly endpoints: boolean;
  /** Retention of the VPC flow logs, days. */
  readonly flowLogDays: number;
}

export interface PostgresSettings {
  readonly version: string;
  readonly instanceClass: string;
  /** Initial storage, GiB. */
  readonly storageGb: number;
  /** Limit up to which RDS grows the storage by itself, GiB. */
  readonly maxStorageGb: number;
  /** Standby in another zone, with automatic failover. */
  readonly multiAz: boolean;
  /** Retention of backups, days. The database can be restored to any second of this time. */
  readonly backupDays: number;
  /** When the database is destroyed, keep a final snapshot and the backups. Applies to unprotected environments too. */
  readonly finalSnapshot: boolean;
  /** Retention of messages, days (HISTORY_RETENTION_DAYS). 0 keeps all. */
  readonly retentionDays: number;
}

export interface RedisSettings {
  readonly engine: 'redis' | 'valkey';
  readonly version: string;
  readonly nodeType: string;
  /**
   * Replicas of each primary, in other zones, for automatic failover. With 0, Holdfast works degraded from a failure
   * until AWS has replaced the node.
   */
  readonly replicas: number;
  /**
   * Primaries in cluster mode: sharded Pub/Sub spreads the channels over them. 0 turns cluster mode off, with a single
   * primary, which is enough for most loads. Changing between 0 and more creates another replication group: nodes work
   * degraded until the service stack is deployed too.
   */
  readonly shards: number;
}

export interface ServiceSettings {
  readonly architecture: 'ARM64' | 'X86_64';
  /** CPU units of a task, 1,024 per vCPU, and its memory in MiB. Fargate offers certain combinations only. */
  readonly cpu: number;
  readonly memoryMb: number;
  readonly minTasks: number;
  readonly maxTasks: number;
  /** Connections per task that autoscaling aims at. */
  readonly targetConnections: number;
  /**
   * Connections that a task accepts (MAX_CONNECTIONS). The margin above the target absorbs reconnect storms while new
   * tasks start.
   */
  readonly maxConnections: number;
  /** Average CPU of the tasks that autoscaling aims at, percent. */
  readonly targetCpuPercent: number;
  /**
   * Shortest time between two scale-outs, seconds. It must cover the delay of CloudWatch and the start of a task.
   * A shorter one adds tasks twice for the same connections, and scale-in then removes them.
   */
  readonly scaleOutCooldown: number;
  /**
   * Scale-in threshold, percent of the targets; connections and CPU must both be below it. Keep it well below 100: if
   * the remaining tasks are over their target at once, autoscaling alternates, and each change makes clients reconnect.
   */
  readonly scaleInBelowPercent: number;
  /** Shortest time between two scale-ins, seconds. Keep it long: each scale-in makes clients reconnect. */
  readonly scaleInCooldown: number;
  /** Time after which the load balancer closes a silent connection, seconds. Must exceed the heartbeat. */
  readonly idleTimeout: number;
  /** Time between deregistration and SIGTERM, seconds, at most 3,600: the time that a drain has. */
  readonly deregistrationDelay: number;
  /** Connections per second that a draining task moves away (DRAIN_RATE). */
  readonly drainRate: number;
  /** New connections per second that a task accepts (ACCEPT_RATE). */
  readonly acceptRate: number;
  /** Requests per client address in five minutes; the WAF answers further ones with 429. */
  readonly wafRequestsPerAddress: number;
  /** Further settings of the server, by their names in server/config.ts. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface ObservabilitySettings {
  /** Retention of logs, days. */
  readonly logDays: number;
  /** Mail address that receives alarms and alerts. Undefined: only subscribers that you add to the on-call topic. */
  readonly onCallEmail: string | undefined;
  /** Grafana at `grafana-<host>`, open to these address ranges only. Needs a domain. Undefined: no Grafana. */
  readonly grafana: { readonly cidrs: readonly string[] } | undefined;
  /** Deploy one synthetic probe per zone. */
  readonly probes: boolean;
  /**
   * ARN of a secret in Secrets Manager with a token for the probes, which may publish and subscribe to `probe:*`. Needed
   * with AUTH_JWKS_URL, where only the issuer can sign tokens. Undefined: the probes sign tokens with the nodes' key.
   */
  readonly probeTokenArn: string | undefined;
  /** URL of the folder `runbooks`, for the links in alerts and dashboards. Without a slash at the end. */
  readonly runbooksUrl: string;
  /** Share of publishes that are traced, 0 to 1. */
  readonly traceRatio: number;
}

/** The host name that clients connect to. */
export interface DomainSettings {
  /** A hosted zone in Route 53 that exists already. */
  readonly zone: string;
  /** A name in that zone: `realtime.example.com`. */
  readonly host: string;
}

export type StateSettings =
  | { readonly backend: 'local' }
  | { readonly backend: 's3'; readonly bucket: string; readonly region: string; readonly kmsKeyId: string | undefined };

export interface Environment {
  readonly name: EnvironmentName;
  readonly region: string;
  /**
   * Refuses deletion, in Terraform of all that cannot be recovered, in AWS of the load balancer and the database; and
   * requires redundancy.
   */
  readonly protected: boolean;
  /** Undefined: clients use plain HTTP and the load balancer's own name. For development only. */
  readonly domain: DomainSettings | undefined;
  readonly network: NetworkSettings;
  readonly postgres: PostgresSettings;
  readonly redis: RedisSettings;
  readonly service: ServiceSettings;
  readonly observability: ObservabilitySettings;
  readonly state: StateSettings;
  /**
   * Raise it to generate new signing keys and a new Grafana password. Once all tasks run with the new keys, older
   * tokens and tickets are refused.
   */
  readonly secretsVersion: number;
  readonly tags: Readonly<Record<string, string>>;
}
