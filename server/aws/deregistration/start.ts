/** Puts the watch together from plain values: who am I, who vouches for me, how is my target. Reads no environment. */
import type { Credentials } from '../credentials.ts';
import { createTargetHealth } from './target-health.ts';
import { createTaskAddress } from './task-address.ts';
import { type Watch, type WatchOptions, watchDeregistration } from './watch.ts';

export interface DeregistrationOptions extends Pick<WatchOptions, 'onDeregistered' | 'onError' | 'onChange'> {
  readonly targetGroupArn: string;
  /** The port that the target is registered with: the container's. */
  readonly port: number;
  readonly intervalMs: number;
  /** Longest that each request may take, milliseconds. */
  readonly timeoutMs: number;
  /** `ECS_CONTAINER_METADATA_URI_V4`. */
  readonly metadataUri: string;
  readonly credentials: () => Promise<Credentials>;
  /** `AWS_ENDPOINT_URL`; empty: AWS itself. */
  readonly endpoint: string;
}

/** @throws TypeError at once when the options cannot work, so that a node that is wrongly set up does not start */
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
