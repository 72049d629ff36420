/** A log group that forgets after a set time, encrypted with the environment's key. */
import { CloudwatchLogGroup } from '@cdktf/provider-aws/lib/cloudwatch-log-group/index.js';
import { Construct } from 'constructs';

export interface LogGroupProps {
  /** Its whole name: `logName`, or the one that an AWS service insists on. Made by us, it forgets, and goes with the rest. */
  readonly name: string;
  readonly days: number;
  /** ARN of the key. */
  readonly keyArn: string;
}

export class LogGroup extends Construct {
  readonly name: string;
  readonly arn: string;
  /** What somebody who writes to it by its name alone must wait for. */
  readonly resource: CloudwatchLogGroup;

  constructor(scope: Construct, id: string, { name, days, keyArn }: LogGroupProps) {
    super(scope, id);
    const group = new CloudwatchLogGroup(this, 'group', {
      name,
      retentionInDays: days,
      kmsKeyId: keyArn,
    });
    this.resource = group;
    this.name = group.name;
    this.arn = group.arn;
  }
}
