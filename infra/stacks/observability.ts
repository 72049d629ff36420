/**
 * The observability stack: alert rules, alert manager, CloudWatch alarms, on-call topic, Grafana, probes. Clients do
 * not depend on it.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Construct } from 'constructs';
import { Alarms } from '../constructs/alarms.ts';
import { Alerting } from '../constructs/alerting.ts';
import { Grafana } from '../constructs/grafana.ts';
import { OnCallTopic } from '../constructs/on-call-topic.ts';
import { Probes } from '../constructs/probes.ts';
import { StoreEvents } from '../constructs/store-events.ts';
import { grafanaHost, SERVER_SERVICE } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';
import { literal } from '../plan/literal.ts';
import { alarms } from '../plan/observability/alarms.ts';
import { type Asset, type AssetUrls, dashboardFiles, ruleFiles } from '../plan/observability/assets.ts';
import { grafanaFiles } from '../plan/observability/grafana-files.ts';
import { scalingPolicy } from '../plan/scaling/policy.ts';
import type { DataStack } from './data.ts';
import { EnvironmentStack } from './environment-stack.ts';
import type { NetworkStack } from './network.ts';
import type { ServiceStack } from './service.ts';

export interface ObservabilityInputs {
  readonly network: NetworkStack;
  readonly data: DataStack;
  readonly service: ServiceStack;
  /** Default: the rule files in `dashboards/out`, without those about probes where none are deployed. */
  readonly rules?: readonly Asset[];
  readonly dashboards?: readonly Asset[];
  /** Whether the image contains the probe. Default: whether its source file exists. */
  readonly probe?: boolean;
}

const PROBE_SOURCE = join(import.meta.dirname, '..', '..', 'server', 'probe', 'main.ts');

/** Leaves out the rules about probes where none are deployed: they would fire because probes are missing. */
function rulesFor(environment: Environment, probes: boolean): Asset[] {
  return ruleFiles(assetUrls(environment)).filter(({ name }) => probes || name !== 'probes');
}

function assetUrls({ domain, observability }: Environment): AssetUrls {
  const grafana = domain && observability.grafana ? `https://${grafanaHost(domain.host)}` : '';
  return { runbooks: observability.runbooksUrl, grafana };
}

export class ObservabilityStack extends EnvironmentStack {
  private readonly inputs: ObservabilityInputs;
  private readonly topic: OnCallTopic;

  constructor(scope: Construct, environment: Environment, inputs: ObservabilityInputs) {
    super(scope, environment, 'observability');
    this.inputs = inputs;
    const { network, data, service, probe = existsSync(PROBE_SOURCE) } = inputs;
    const probes = environment.observability.probes && probe;
    const { rules = rulesFor(environment, probes) } = inputs;
    this.topic = new OnCallTopic(this, 'on-call', { environment, keyArn: network.key.arn });
    new Alerting(this, 'alerting', { environment, workspaceId: data.metrics.workspaceId, rules, topic: this.topic });
    this.watch(environment);
    const grafana = this.grafana(environment);
    if (probes) this.probes(environment);
    this.report({
      on_call_topic_arn: this.topic.arn,
      dashboards_url: grafana?.url ?? '',
      dashboards_password_secret_arn: grafana?.adminSecretArn ?? '',
      service_url: service.balancer.url,
    });
  }

  private watch(environment: Environment): void {
    const { network, data, service } = this.inputs;
    const watched = {
      balancer: service.balancer.arnSuffix,
      targetGroup: service.balancer.targetGroupArnSuffix,
      cluster: service.cluster.name,
      service: SERVER_SERVICE,
      databaseId: data.postgres.instanceId,
      redisId: data.redis.replicationGroupId,
      natGatewayIds: network.subnets.natGatewayIds,
      scalingMetric: scalingPolicy(environment).metric,
      metricsWorkspaceId: data.metrics.workspaceId,
    };
    new Alarms(this, 'alarms', {
      environment,
      alarms: alarms(environment, watched),
      topicArn: this.topic.arn,
    });
    const { databaseId } = watched;
    new StoreEvents(this, 'store-events', { environment, databaseId, topicArn: this.topic.arn });
  }

  private grafana(environment: Environment): Grafana | undefined {
    const { grafana } = environment.observability;
    const { network, data, service, dashboards = dashboardFiles(assetUrls(environment)) } = this.inputs;
    if (!grafana || !environment.domain) return undefined;
    const { endpoint: prometheusEndpoint, arn: metricsStoreArn } = data.metrics;
    return new Grafana(this, 'grafana', {
      environment,
      host: grafanaHost(environment.domain.host),
      cidrs: grafana.cidrs,
      vpcId: network.vpc.id,
      subnetIds: network.subnets.private.map((subnet) => subnet.id),
      securityGroupId: network.securityGroups.grafana.id,
      listenerArn: service.balancer.listener.arn,
      clusterArn: service.cluster.arn,
      metricsStoreArn,
      keyArn: network.key.arn,
      files: grafanaFiles({
        region: environment.region,
        prometheusEndpoint,
        dashboards: dashboards.map(({ name, text }) => ({ name, text: literal(text) })),
      }),
    });
  }

  private probes(environment: Environment): void {
    const { network, data, service } = this.inputs;
    new Probes(this, 'probes', {
      environment,
      clusterArn: service.cluster.arn,
      subnetIds: network.subnets.private.map((subnet) => subnet.id),
      securityGroupId: network.securityGroups.probe.id,
      image: service.image,
      repositoryArn: data.registry.arn,
      url: service.balancer.url,
      tokenKeyArn: data.tokenKey.arn,
      prometheusEndpoint: data.metrics.endpoint,
      metricsStoreArn: data.metrics.arn,
      keyArn: network.key.arn,
    });
  }
}
