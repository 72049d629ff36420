/**
 * In a protected environment, what cannot be had back is marked so that Terraform refuses every plan that would destroy
 * or replace it. One of these is in each stack, so `cdktf destroy '*'` stops before it has touched anything, and not
 * halfway, where AWS's own protection would.
 */
import { type IAspect, TerraformResource } from 'cdktf';
import type { IConstruct } from 'constructs';

/** Terraform type -> what would be lost. */
export const LASTING: Readonly<Record<string, string>> = {
  aws_vpc: 'everything is in it',
  aws_kms_key: 'what it has encrypted',
  aws_db_instance: 'the history',
  aws_elasticache_replication_group: 'its endpoint, which nodes are connected to',
  aws_ecr_repository: 'the images to go back to',
  aws_secretsmanager_secret: 'tokens that are out',
  aws_prometheus_workspace: 'metrics',
  aws_s3_bucket: 'access logs',
  aws_lb: 'the name that clients are connected to',
  aws_sns_topic: 'subscriptions that people have confirmed',
};

export class PreventDestroy implements IAspect {
  visit(node: IConstruct): void {
    if (!TerraformResource.isTerraformResource(node) || !(node.terraformResourceType in LASTING)) return;
    node.lifecycle = { ...node.lifecycle, preventDestroy: true };
  }
}
