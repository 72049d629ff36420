/** ECS container definition of a probe: the server image, which starts the program of the probe. Pure. */
import { type ContainerDefinition, type LogTarget, logTo, pairs } from './containers.ts';

export interface ProbeContainerOptions {
  readonly image: string;
  /** URL that clients connect to: `https://host`. */
  readonly url: string;
  /** Zone that the probe runs in; a label of its metrics. */
  readonly zone: string;
  /** Environment variable -> ARN of its secret: a token, or the key to sign one. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Further settings, such as the issuer to name in tokens. */
  readonly settings: Readonly<Record<string, string>>;
  readonly log: LogTarget;
}

/** Path of the probe program in the image. */
export const PROBE_PROGRAM = 'dist/server/probe/main.js';

export function probeContainer(options: ProbeContainerOptions): ContainerDefinition {
  return {
    name: 'probe',
    image: options.image,
    essential: true,
    command: ['node', '--enable-source-maps', PROBE_PROGRAM],
    privileged: false,
    readonlyRootFilesystem: true,
    linuxParameters: { capabilities: { drop: ['ALL'] } },
    // Serves its metrics on the loopback address only: the collector in the same task reads them.
    environment: pairs({ ...options.settings, HOST: '127.0.0.1', PROBE_URL: options.url, PROBE_ZONE: options.zone }),
    secrets: Object.entries(options.secrets).map(([name, valueFrom]) => ({ name, valueFrom })),
    logConfiguration: logTo(options.log, 'probe'),
  };
}
