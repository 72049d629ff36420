/**
 * The address of this ECS task, which is the id of its target in a target group of type `ip` (network mode awsvpc, the only
 * one of Fargate). It comes from the task metadata endpoint, version 4; other platforms are not supported.
 */
import { isIPv4 } from 'node:net';
import { fetchJson } from '../fetch-json.ts';

export interface TaskAddressOptions {
  /** `ECS_CONTAINER_METADATA_URI_V4` of the environment. */
  readonly metadataUri: string;
  readonly timeoutMs: number;
}

/** The returned function keeps the first address that it reads, because the address of a task never changes. */
export function createTaskAddress({ metadataUri, timeoutMs }: TaskAddressOptions): () => Promise<string> {
  if (!metadataUri) throw new TypeError('ECS_CONTAINER_METADATA_URI_V4 is not set: this is not an ECS task');
  let address: string | undefined;
  return async () => {
    address ??= addressOf(await fetchJson(`${metadataUri}/task`, { timeoutMs }));
    return address;
  };
}

/** Returns the only address of the task. @throws TypeError when it has none or more than one */
function addressOf(task: unknown): string {
  const networks = list(task, 'Containers').flatMap((container) => list(container, 'Networks'));
  // All containers of a task share one network interface. A container that is starting has no network yet.
  const own = networks.filter((network) => field(network, 'NetworkMode') === 'awsvpc');
  const addresses = [...new Set(own.flatMap((network) => list(network, 'IPv4Addresses')))];
  const [address] = addresses;
  if (addresses.length !== 1 || typeof address !== 'string' || !isIPv4(address))
    throw new TypeError('The task metadata should name one IPv4 address in an awsvpc network');
  return address;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function list(value: unknown, name: string): unknown[] {
  const found = field(value, name);
  return Array.isArray(found) ? found : [];
}
