/**
 * ECS container definitions of Grafana: one container fetches the provisioning files and exits, the other runs Grafana,
 * which reads them. Pure.
 */
import { type ContainerDefinition, type LogTarget, logTo, pairs } from './containers.ts';

export interface GrafanaContainerOptions {
  readonly bucket: string;
  /** Directory of the provisioning files. */
  readonly provisioning: string;
  readonly filesHash: string;
  readonly url: string;
  readonly adminSecretArn: string;
  readonly log: LogTarget;
  readonly port: number;
}

const GRAFANA_IMAGE = 'docker.io/grafana/grafana:12.1.1';
const FETCHER_IMAGE = 'public.ecr.aws/aws-cli/aws-cli:2.27.50';
/** Uid of Grafana in its image. */
const GRAFANA_USER = '472';
const DATA = '/var/lib/grafana';

export function grafanaContainers(options: GrafanaContainerOptions): ContainerDefinition[] {
  const { provisioning } = options;
  return [
    {
      name: 'files',
      image: FETCHER_IMAGE,
      essential: false,
      // New volumes belong to root. This container fetches the files, then gives the data volume to Grafana.
      user: '0',
      privileged: false,
      readonlyRootFilesystem: true,
      linuxParameters: { capabilities: { drop: ['NET_RAW'] } },
      entryPoint: ['/bin/sh', '-ec'],
      command: [`aws s3 sync "s3://$BUCKET" ${provisioning} --delete --no-progress && chown ${GRAFANA_USER} ${DATA}`],
      environment: pairs({ BUCKET: options.bucket, FILES: options.filesHash, HOME: DATA }),
      mountPoints: mounts(provisioning, false),
      logConfiguration: logTo(options.log, 'files'),
    },
    {
      name: 'grafana',
      image: GRAFANA_IMAGE,
      essential: true,
      user: GRAFANA_USER,
      privileged: false,
      readonlyRootFilesystem: true,
      linuxParameters: { capabilities: { drop: ['ALL'] } },
      portMappings: [{ containerPort: options.port, protocol: 'tcp' }],
      environment: pairs({
        GF_SERVER_HTTP_PORT: String(options.port),
        GF_SERVER_ROOT_URL: options.url,
        GF_AUTH_SIGV4_AUTH_ENABLED: 'true',
        GF_USERS_ALLOW_SIGN_UP: 'false',
        GF_ANALYTICS_REPORTING_ENABLED: 'false',
        GF_ANALYTICS_CHECK_FOR_UPDATES: 'false',
        GF_SECURITY_COOKIE_SECURE: 'true',
        GF_LOG_MODE: 'console',
        TMPDIR: DATA,
      }),
      secrets: [{ name: 'GF_SECURITY_ADMIN_PASSWORD', valueFrom: options.adminSecretArn }],
      dependsOn: [{ containerName: 'files', condition: 'SUCCESS' }],
      mountPoints: mounts(provisioning, true),
      logConfiguration: logTo(options.log, 'grafana'),
    },
  ];
}

function mounts(provisioning: string, filesReadOnly: boolean) {
  return [
    { sourceVolume: 'provisioning', containerPath: provisioning, readOnly: filesReadOnly },
    { sourceVolume: 'data', containerPath: DATA, readOnly: false },
  ];
}
