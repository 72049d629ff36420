/**
 * The managed Prometheus workspace, which keeps metrics for 150 days. Part of the data stack, because it is state: the
 * collectors of the service stack write to it, and the observability stack adds rules to it.
 */
import { PrometheusWorkspace } from '@cdktf/provider-aws/lib/prometheus-workspace/index.js';
import { Construct } from 'constructs';
import { nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';
import { LogGroup } from './log-group.ts';

export interface MetricsStoreProps {
  readonly environment: Environment;
  readonly keyArn: string;
}

export class MetricsStore extends Construct {
  readonly workspaceId: string;
  readonly arn: string;
  /** `https://aps-workspaces.<region>.amazonaws.com/workspaces/<id>/` */
  readonly endpoint: string;

  constructor(scope: Construct, id: string, { environment, keyArn }: MetricsStoreProps) {
    super(scope, id);
    const { logDays: days } = environment.observability;
    // The only place where failed rule evaluations appear. AWS requires the prefix `/aws/vendedlogs/`.
    const log = new LogGroup(this, 'log', {
      name: `/aws/vendedlogs/${nameOf(environment, 'prometheus')}`,
      days,
      keyArn,
    });
    const workspace = new PrometheusWorkspace(this, 'workspace', {
      alias: nameOf(environment, 'metrics'),
      kmsKeyArn: keyArn,
      loggingConfiguration: { logGroupArn: `${log.arn}:*` },
    });
    this.workspaceId = workspace.id;
    this.arn = workspace.arn;
    this.endpoint = workspace.prometheusEndpoint;
  }
}
