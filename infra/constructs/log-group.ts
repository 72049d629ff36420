/** A log group that forgets after a set time, encrypted with the environment's key. */
import { CloudwatchLogGroup } from '@cdktf/provider-aws/lib/cloudwatch-log-group/index.js';
import { Construct } from 'constructs';
import type { Environment } from '../environments.ts';
import { nameOf } from './names.ts';

export interface LogGroupProps {
  readonly environment: Environment;
  /** `/holdfast-prod-<what>`. */
  readonly what: string;
  /** Beginning of the name where an AWS service insists on one; default `/`. */
  readonly prefix?: string;
  /** The whole name, where an AWS service writes to a group of its own: made by us, it forgets, and goes with the rest. */
  readonly name?: string;
  readonly days: number;
  /** ARN of the key. */
  readonly keyArn: string;
}

export class LogGroup extends Construct {
  readonly name: string;
  readonly arn: string;
  /** What somebody who writes to it by its name alone must wait for. */
  readonly resource: CloudwatchLogGroup;

  constructor(scope: Construct, id: string, props: LogGroupProps) {
    super(scope, id);
    const { environment, what, prefix = '/', days, keyArn } = props;
    const group = new CloudwatchLogGroup(this, 'group', {
      name: props.name ?? `${prefix}${nameOf(environment, what)}`,
      retentionInDays: days,
      kmsKeyId: keyArn,
    });
    this.resource = group;
    this.name = group.name;
    this.arn = group.arn;
  }
}
