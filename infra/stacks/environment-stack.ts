/** Base class of all stacks: name, AWS provider with default tags, protection, and the backend of Terraform's state. */
import { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js';
import { Aspects, S3Backend, TerraformOutput, TerraformStack } from 'cdktf';
import type { Construct } from 'constructs';
import { PreventDestroy } from '../aspects/prevent-destroy.ts';
import { nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';

export type StackName = 'network' | 'data' | 'service' | 'observability';

export class EnvironmentStack extends TerraformStack {
  readonly environment: Environment;

  constructor(scope: Construct, environment: Environment, name: StackName) {
    super(scope, nameOf(environment, name));
    this.environment = environment;
    new AwsProvider(this, 'aws', {
      region: environment.region,
      defaultTags: [{ tags: { ...environment.tags, Environment: environment.name, Stack: name, ManagedBy: 'cdktf' } }],
    });
    if (environment.protected) Aspects.of(this).add(new PreventDestroy());
    this.keepState(environment, name);
  }

  /**
   * Adds outputs under exactly these names: operators and scripts read them (`cdktf output`, `terraform output -json`).
   */
  protected report(outputs: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(outputs))
      new TerraformOutput(this, `output-${name}`, { value }).overrideLogicalId(name);
  }

  private keepState({ state, name: environment }: Environment, stack: StackName): void {
    if (state.backend === 'local') return;
    const { bucket, region, kmsKeyId } = state;
    const key = `holdfast/${environment}/${stack}.tfstate`;
    new S3Backend(this, { bucket, region, key, encrypt: true, ...(kmsKeyId !== undefined && { kmsKeyId }) });
    // A lock file in the bucket, supported by Terraform 1.10 and later. cdktf has no field for it.
    this.addOverride('terraform.backend.s3.use_lockfile', true);
  }
}
