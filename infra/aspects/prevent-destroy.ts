/**
 * Marks resources of a protected environment that cannot be recovered, so that Terraform refuses every plan that would
 * destroy or replace them. Each stack has at least one of them, so `cdktf destroy '*'` stops before it has changed
 * anything; the deletion protection of AWS alone would stop it halfway.
 */
import { type IAspect, TerraformResource } from 'cdktf';
import type { IConstruct } from 'constructs';

/** Terraform type -> what its destruction would lose. */
export const LASTING: Readonly<Record<string, string>> = {
  aws_vpc: 'the network that every other resource is in',
  aws_kms_key: 'all data that it encrypts',
  aws_db_instance: 'the history',
  aws_elasticache_replication_group: 'the endpoint that nodes are connected to',
  aws_ecr_repository: 'the images for a rollback',
  aws_secretsmanager_secret: 'the keys of tokens that clients hold',
  aws_prometheus_workspace: '150 days of metrics',
  aws_s3_bucket: 'access logs',
  aws_lb: 'the address that clients are connected to',
  aws_sns_topic: 'subscriptions that their receivers have confirmed',
};

export class PreventDestroy implements IAspect {
  visit(node: IConstruct): void {
    if (!TerraformResource.isTerraformResource(node) || !(node.terraformResourceType in LASTING)) return;
    node.lifecycle = { ...node.lifecycle, preventDestroy: true };
  }
}
