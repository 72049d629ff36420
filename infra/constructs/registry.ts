/** Where the server's images are. In the data stack: a rollback needs yesterday's image whatever became of the service. */
import { EcrLifecyclePolicy } from '@cdktf/provider-aws/lib/ecr-lifecycle-policy/index.js';
import { EcrRepository } from '@cdktf/provider-aws/lib/ecr-repository/index.js';
import { Construct } from 'constructs';
import { nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';

export interface RegistryProps {
  readonly environment: Environment;
  readonly keyArn: string;
}

/** Images kept: enough to go back by months of releases. */
const IMAGES_KEPT = 50;

export class Registry extends Construct {
  /** Repository URL without tag. */
  readonly url: string;
  readonly arn: string;

  constructor(scope: Construct, id: string, { environment, keyArn }: RegistryProps) {
    super(scope, id);
    const repository = new EcrRepository(this, 'repository', {
      name: nameOf(environment, 'server'),
      // A tag means one image for ever: what was tested is what runs, and a rollback finds what it names.
      imageTagMutability: 'IMMUTABLE',
      imageScanningConfiguration: { scanOnPush: true },
      encryptionConfiguration: [{ encryptionType: 'KMS', kmsKey: keyArn }],
      forceDelete: !environment.protected,
    });
    new EcrLifecyclePolicy(this, 'expiry', {
      repository: repository.name,
      policy: JSON.stringify({
        rules: [
          {
            rulePriority: 1,
            description: `Keep the newest ${IMAGES_KEPT}`,
            selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: IMAGES_KEPT },
            action: { type: 'expire' },
          },
        ],
      }),
    });
    this.url = repository.repositoryUrl;
    this.arn = repository.arn;
  }
}
