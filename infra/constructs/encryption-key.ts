/**
 * The KMS key of the environment, rotated by AWS every year. It encrypts the stores, secrets, images, metrics, log groups
 * and the on-call topic. S3 buckets use keys of S3 instead (private-bucket.ts).
 */
import { DataAwsCallerIdentity } from '@cdktf/provider-aws/lib/data-aws-caller-identity/index.js';
import { DataAwsIamPolicyDocument } from '@cdktf/provider-aws/lib/data-aws-iam-policy-document/index.js';
import { KmsAlias } from '@cdktf/provider-aws/lib/kms-alias/index.js';
import { KmsKey } from '@cdktf/provider-aws/lib/kms-key/index.js';
import { Construct } from 'constructs';
import { clusterName, nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';
import { PUBLISHERS } from './on-call-topic.ts';

export interface EncryptionKeyProps {
  readonly environment: Environment;
}

/** Days during which a deletion of the key can be cancelled: the maximum, because its data is unreadable without it. */
const DELETION_DAYS = 30;

const USE = ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'];

export class EncryptionKey extends Construct {
  readonly arn: string;

  constructor(scope: Construct, id: string, { environment }: EncryptionKeyProps) {
    super(scope, id);
    const account = new DataAwsCallerIdentity(this, 'account');
    const policy = new DataAwsIamPolicyDocument(this, 'policy', {
      statement: [
        {
          sid: 'AdministeredByIam',
          actions: ['kms:*'],
          resources: ['*'],
          principals: [{ type: 'AWS', identifiers: [`arn:aws:iam::${account.accountId}:root`] }],
        },
        {
          sid: 'UsedForOurLogGroups',
          actions: USE,
          resources: ['*'],
          principals: [{ type: 'Service', identifiers: [`logs.${environment.region}.amazonaws.com`] }],
          condition: [
            {
              test: 'ArnLike',
              variable: 'kms:EncryptionContext:aws:logs:arn',
              // Our log groups, and the one that Container Insights names after the cluster.
              values: [nameOf(environment, '*'), `${clusterName(environment)}/*`].map(
                (name) => `arn:aws:logs:${environment.region}:${account.accountId}:log-group:*${name}`,
              ),
            },
          ],
        },
        {
          sid: 'UsedByAlarmsAndTopics',
          actions: USE,
          resources: ['*'],
          principals: [{ type: 'Service', identifiers: ['sns.amazonaws.com', ...PUBLISHERS] }],
          condition: [{ test: 'StringEquals', variable: 'aws:SourceAccount', values: [account.accountId] }],
        },
      ],
    });
    const key = new KmsKey(this, 'key', {
      description: `Holdfast ${environment.name}: everything at rest`,
      enableKeyRotation: true,
      deletionWindowInDays: DELETION_DAYS,
      policy: policy.json,
    });
    new KmsAlias(this, 'alias', { name: `alias/${nameOf(environment, 'data')}`, targetKeyId: key.id });
    this.arn = key.arn;
  }
}
