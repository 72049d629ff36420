/**
 * An S3 bucket without public access, with TLS only, encryption and versions. A policy elsewhere cannot make it public.
 */
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
  /** Days until objects are deleted. Default: never. */
  readonly expireDays?: number;
  /** A further statement of the bucket policy, such as permission for an AWS service to write. */
  readonly allow?: (bucketArn: string, accountId: string) => DataAwsIamPolicyDocumentStatement;
}

/** Days until overwritten and deleted versions of objects are removed. */
const OLD_VERSION_DAYS = 7;

export class PrivateBucket extends Construct {
  readonly name: string;
  readonly arn: string;
  /** Dependency for AWS services that write to the bucket. */
  readonly policy: S3BucketPolicy;
  /** Dependency for objects: one written before versioning is on has no version, and remains after its deletion. */
  readonly versions: S3BucketVersioningA;

  constructor(scope: Construct, id: string, { environment, what, expireDays, allow }: PrivateBucketProps) {
    super(scope, id);
    const account = new DataAwsCallerIdentity(this, 'account').accountId;
    const bucket = new S3Bucket(this, 'bucket', {
      // Bucket names are global, so the account id is a suffix.
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
    // Encrypts with keys of S3: load balancers cannot write access logs with a KMS key.
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
