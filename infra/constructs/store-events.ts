/**
 * Sends the events of RDS that no metric shows to the on-call topic: failovers, restarts, failures, low storage,
 * recovery, security patches.
 */
import { DbEventSubscription } from '@cdktf/provider-aws/lib/db-event-subscription/index.js';
import { Construct } from 'constructs';
import { nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';

export interface StoreEventsProps {
  readonly environment: Environment;
  readonly databaseId: string;
  readonly topicArn: string;
}

const CATEGORIES = ['availability', 'failover', 'failure', 'low storage', 'recovery', 'security patching'];

export class StoreEvents extends Construct {
  constructor(scope: Construct, id: string, { environment, databaseId, topicArn }: StoreEventsProps) {
    super(scope, id);
    new DbEventSubscription(this, 'postgres', {
      name: nameOf(environment, 'history'),
      snsTopic: topicArn,
      sourceType: 'db-instance',
      sourceIds: [databaseId],
      eventCategories: CATEGORIES,
    });
  }
}
