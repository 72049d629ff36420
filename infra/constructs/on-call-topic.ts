/** The on-call topic (SNS): receives alarms, alerts and database events. Subscribe your paging service to it. */
import { DataAwsCallerIdentity } from '@cdktf/provider-aws/lib/data-aws-caller-identity/index.js';
import { DataAwsIamPolicyDocument } from '@cdktf/provider-aws/lib/data-aws-iam-policy-document/index.js';
import { SnsTopic } from '@cdktf/provider-aws/lib/sns-topic/index.js';
import { SnsTopicPolicy } from '@cdktf/provider-aws/lib/sns-topic-policy/index.js';
import { SnsTopicSubscription } from '@cdktf/provider-aws/lib/sns-topic-subscription/index.js';
import { Construct } from 'constructs';
import { nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';

export interface OnCallTopicProps {
  readonly environment: Environment;
  readonly keyArn: string;
}

/** AWS services that publish to the topic: CloudWatch alarms, the alert manager of Prometheus, events of RDS. */
export const PUBLISHERS = ['cloudwatch.amazonaws.com', 'aps.amazonaws.com', 'events.rds.amazonaws.com'] as const;

export class OnCallTopic extends Construct {
  readonly arn: string;
  /** The policy that lets these services publish. */
  readonly policy: SnsTopicPolicy;

  constructor(scope: Construct, id: string, { environment, keyArn }: OnCallTopicProps) {
    super(scope, id);
    const topic = new SnsTopic(this, 'topic', { name: nameOf(environment, 'on-call'), kmsMasterKeyId: keyArn });
    const account = new DataAwsCallerIdentity(this, 'account').accountId;
    const document = new DataAwsIamPolicyDocument(this, 'document', {
      statement: [
        {
          sid: 'ServicesPublish',
          actions: ['sns:Publish', 'sns:GetTopicAttributes'],
          resources: [topic.arn],
          principals: [{ type: 'Service', identifiers: [...PUBLISHERS] }],
          condition: [{ test: 'StringEquals', variable: 'aws:SourceAccount', values: [account] }],
        },
        {
          sid: 'OnlyOverTls',
          effect: 'Deny',
          actions: ['sns:Publish'],
          resources: [topic.arn],
          principals: [{ type: '*', identifiers: ['*'] }],
          condition: [{ test: 'Bool', variable: 'aws:SecureTransport', values: ['false'] }],
        },
      ],
    });
    this.policy = new SnsTopicPolicy(this, 'policy', { arn: topic.arn, policy: document.json });
    const { onCallEmail } = environment.observability;
    if (onCallEmail !== undefined)
      new SnsTopicSubscription(this, 'email', { topicArn: topic.arn, protocol: 'email', endpoint: onCallEmail });
    this.arn = topic.arn;
  }
}
