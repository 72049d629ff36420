/** A bucket that nobody outside gets at: no public access whatever anybody allows, TLS only, encrypted, versioned. */
import { DataAwsCallerIdentity } from '@cdktf/provider-aws/lib/data-aws-caller-identity/index.js';
import {
  DataAwsIamPolicyDocument,
  type DataAwsIamPolicyDocumentStatement,
} from '@cdktf/provider-aws/lib/data-aws-iam-policy-document/index.js';
import { S3Bucket } from '@cdktf/provider-aws/lib/s3-bucket/index.js';
import { S3BucketLifecycleConfiguration } from '@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration/index.js';
import { S3BucketOwnershipControls } from '@cdktf/provider-aws/lib/s3-bucket-ownership-controls/index.js';
import { S3BucketPolicy } from '@cdktf/provider-aws/lib/s3-bucket-policy/index.js';
import { S3BucketPublicAccessBlock } from '@cdktf/provider-aws/lib/s3-bucket-public-access-block/index.js';
import { S3BucketServerSideEncryptionConfigurationA } from '@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration/index.js';
import { S3BucketVersioningA } from '@cdktf/provider-aws/lib/s3-bucket-versioning/index.js';
import { Construct } from 'constructs';
import { nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';

export interface PrivateBucketProps {
  readonly environment: Environment;
  readonly what: string;
  /** Days after which objects are deleted; default: never. */
  readonly expireDays?: number;
  /** Who else may do what with it. */
  readonly allow?: (bucketArn: string, accountId: string) => DataAwsIamPolicyDocumentStatement;
}

/** Days that overwritten and deleted objects are kept. */
const OLD_VERSION_DAYS = 7;

export class PrivateBucket extends Construct {
  readonly name: string;
  readonly arn: string;
  /** What writers other than ours must wait for. */
  readonly policy: S3BucketPolicy;
  /** What our own objects must wait for: one written before has no version, and stays when it is deleted. */
  readonly versions: S3BucketVersioningA;

  constructor(scope: Construct, id: string, { environment, what, expireDays, allow }: PrivateBucketProps) {
    super(scope, id);
    const account = new DataAwsCallerIdentity(this, 'account').accountId;
    const bucket = new S3Bucket(this, 'bucket', {
      // Names of buckets are the world's: the account makes it ours.
      bucket: `${nameOf(environment, what)}-${account}`,
      forceDestroy: !environment.protected,
    });
    const name = bucket.bucket;
    const closed = new S3BucketPublicAccessBlock(this, 'closed', {
      bucket: name,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
    new S3BucketOwnershipControls(this, 'owner', { bucket: name, rule: { objectOwnership: 'BucketOwnerEnforced' } });
    // Keys of S3, not ours: load balancers cannot write with any other.
    new S3BucketServerSideEncryptionConfigurationA(this, 'encryption', {
      bucket: name,
      rule: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: 'AES256' } }],
    });
    const versions = new S3BucketVersioningA(this, 'versions', {
      bucket: name,
      versioningConfiguration: { status: 'Enabled' },
    });
    new S3BucketLifecycleConfiguration(this, 'expiry', {
      bucket: name,
      rule: [
        {
          id: 'expire',
          status: 'Enabled',
          filter: [{ prefix: '' }],
          ...(expireDays !== undefined && { expiration: [{ days: expireDays }] }),
          noncurrentVersionExpiration: [{ noncurrentDays: OLD_VERSION_DAYS }],
          abortIncompleteMultipartUpload: [{ daysAfterInitiation: 7 }],
        },
      ],
      dependsOn: [versions],
    });
    const document = new DataAwsIamPolicyDocument(this, 'document', {
      statement: [...(allow ? [allow(bucket.arn, account)] : []), onlyOverTls(bucket.arn)],
    });
    this.policy = new S3BucketPolicy(this, 'policy', { bucket: name, policy: document.json, dependsOn: [closed] });
    this.versions = versions;
    this.name = name;
    this.arn = bucket.arn;
  }
}

function onlyOverTls(bucketArn: string): DataAwsIamPolicyDocumentStatement {
  return {
    sid: 'OnlyOverTls',
    effect: 'Deny',
    actions: ['s3:*'],
    resources: [bucketArn, `${bucketArn}/*`],
    principals: [{ type: '*', identifiers: ['*'] }],
    condition: [{ test: 'Bool', variable: 'aws:SecureTransport', values: ['false'] }],
  };
}
