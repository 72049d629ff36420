/**
 * A secret with a random value that Secrets Manager generates while Terraform applies. Terraform passes it on by an
 * ephemeral resource and a write-only argument, so neither plan nor state contains it. Raise `version` to replace it.
 */
import { SecretsmanagerSecret } from '@cdktf/provider-aws/lib/secretsmanager-secret/index.js';
import { SecretsmanagerSecretVersion } from '@cdktf/provider-aws/lib/secretsmanager-secret-version/index.js';
import { TerraformStack } from 'cdktf';
import { Construct } from 'constructs';
import type { Environment } from '../environments/types.ts';

export interface GeneratedSecretProps {
  readonly environment: Environment;
  /** Last part of the name: `holdfast-prod/<what>`. */
  readonly what: string;
  readonly description: string;
  readonly keyArn: string;
  /** Raise it to generate a new value. */
  readonly version: number;
}

/** Number of letters and digits. 48 of them carry 285 bits; HS256 needs 256. */
const LENGTH = 48;
/** Days during which a deleted secret can be restored. With 0 its name can be used again at once. */
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
    // cdktf has no class for ephemeral resources. In Terraform's JSON they are a top-level block.
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
