/** Builds the deregistration watch from plain values: address of the task, credentials, state of the target. Reads no environment. */
import type { Credentials } from '../credentials.ts';
import { createTargetHealth } from './target-health.ts';
import { createTaskAddress } from './task-address.ts';
import { type Watch, type WatchOptions, watchDeregistration } from './watch.ts';

export interface DeregistrationOptions extends Pick<WatchOptions, 'onDeregistered' | 'onError' | 'onChange'> {
  readonly targetGroupArn: string;
  /** Container port, with which ECS registers the target. */
  readonly port: number;
  readonly intervalMs: number;
  /** Longest time of one request, milliseconds. */
  readonly timeoutMs: number;
  /** `ECS_CONTAINER_METADATA_URI_V4`. */
  readonly metadataUri: string;
  readonly credentials: () => Promise<Credentials>;
  /** `AWS_ENDPOINT_URL`. Empty: the endpoint of AWS. */
  readonly endpoint: string;
}

/** @throws TypeError when the options cannot work, so that a node with wrong settings does not start */
export function startDeregistrationWatch(options: DeregistrationOptions): Watch {
  const { targetGroupArn, port, endpoint, timeoutMs, metadataUri, credentials, ...watch } = options;
  const state = createTargetHealth({
    targetGroupArn,
    port,
    endpoint,
    timeoutMs,
    address: createTaskAddress({ metadataUri, timeoutMs }),
    credentials,
  });
  return watchDeregistration({ ...watch, state });
}
