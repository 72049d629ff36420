/** The rule files and the alert manager configuration of the managed Prometheus workspace. */
import { PrometheusAlertManagerDefinition } from '@cdktf/provider-aws/lib/prometheus-alert-manager-definition/index.js';
import { PrometheusRuleGroupNamespace } from '@cdktf/provider-aws/lib/prometheus-rule-group-namespace/index.js';
import { Construct } from 'constructs';
import type { Environment } from '../environments/types.ts';
import { literal } from '../plan/literal.ts';
import { alertManagerDefinition } from '../plan/observability/alert-manager.ts';
import type { Asset } from '../plan/observability/assets.ts';
import type { OnCallTopic } from './on-call-topic.ts';

export interface AlertingProps {
  readonly environment: Environment;
  readonly workspaceId: string;
  readonly rules: readonly Asset[];
  readonly topic: OnCallTopic;
}

export class Alerting extends Construct {
  constructor(scope: Construct, id: string, { environment, workspaceId, rules, topic }: AlertingProps) {
    super(scope, id);
    for (const { name, text } of rules)
      new PrometheusRuleGroupNamespace(this, `rules-${name}`, { workspaceId, name, data: literal(text) });
    new PrometheusAlertManagerDefinition(this, 'alert-manager', {
      workspaceId,
      definition: alertManagerDefinition({
        topicArn: topic.arn,
        region: environment.region,
        environment: environment.name,
      }),
      dependsOn: [topic.policy],
    });
  }
}
