/**
 * The image registry of the server (ECR). Part of the data stack, so that a rollback finds its image even after the
 * service stack was destroyed.
 */
import { EcrLifecyclePolicy } from '@cdktf/provider-aws/lib/ecr-lifecycle-policy/index.js';
import { EcrRepository } from '@cdktf/provider-aws/lib/ecr-repository/index.js';
import { Construct } from 'constructs';
import { nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';

export interface RegistryProps {
  readonly environment: Environment;
  readonly keyArn: string;
}

/** Number of images kept; older ones are deleted. */
const IMAGES_KEPT = 50;

export class Registry extends Construct {
  /** Repository URL without tag. */
  readonly url: string;
  readonly arn: string;

  constructor(scope: Construct, id: string, { environment, keyArn }: RegistryProps) {
    super(scope, id);
    const repository = new EcrRepository(this, 'repository', {
      name: nameOf(environment, 'server'),
      // A tag cannot be moved to another image: the tested image is the one that runs, also after a rollback.
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
