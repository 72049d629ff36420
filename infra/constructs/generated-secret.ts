/**
 * A secret that nobody has to make up, type in, or see: Secrets Manager draws a random value while Terraform applies,
 * and Terraform passes it on without keeping it (an ephemeral resource and a write-only argument), so that neither
 * state nor plan holds it. Change it by raising `version`.
 */
import { SecretsmanagerSecret } from '@cdktf/provider-aws/lib/secretsmanager-secret/index.js';
import { SecretsmanagerSecretVersion } from '@cdktf/provider-aws/lib/secretsmanager-secret-version/index.js';
import { TerraformStack } from 'cdktf';
import { Construct } from 'constructs';
import type { Environment } from '../environments/types.ts';

export interface GeneratedSecretProps {
  readonly environment: Environment;
  /** `holdfast-prod/<what>`. */
  readonly what: string;
  readonly description: string;
  readonly keyArn: string;
  /** Raise it to have a new value made. */
  readonly version: number;
}

/** Letters and digits: 48 of them carry 285 bits, more than HS256 can use. */
const LENGTH = 48;
/** Days in which a deleted secret can be had back; 0 lets its name be used again at once. */
const RECOVERY_DAYS = { protected: 30, open: 0 };

export class GeneratedSecret extends Construct {
  readonly arn: string;

  constructor(scope: Construct, id: string, props: GeneratedSecretProps) {
    super(scope, id);
    const { environment, what, description, keyArn, version } = props;
    const secret = new SecretsmanagerSecret(this, 'secret', {
      name: `holdfast-${environment.name}/${what}`,
      description,
      kmsKeyId: keyArn,
      recoveryWindowInDays: environment.protected ? RECOVERY_DAYS.protected : RECOVERY_DAYS.open,
    });
    const random = `${what.replaceAll('-', '_')}_value`;
    // cdktf knows no ephemeral resources; in Terraform's JSON they are one more kind of block.
    TerraformStack.of(this).addOverride(`ephemeral.aws_secretsmanager_random_password.${random}`, {
      password_length: LENGTH,
      exclude_punctuation: true,
    });
    new SecretsmanagerSecretVersion(this, 'value', {
      secretId: secret.id,
      secretStringWo: `\${ephemeral.aws_secretsmanager_random_password.${random}.random_password}`,
      secretStringWoVersion: version,
    });
    this.arn = secret.arn;
  }
}
