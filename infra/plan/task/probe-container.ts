/** Container definition of a probe: the server's image with another command. Pure. */
import { type ContainerDefinition, type LogTarget, logTo, pairs } from './containers.ts';

export interface ProbeContainerOptions {
  readonly image: string;
  /** Where clients connect: `https://host`. */
  readonly url: string;
  /** The zone it measures from, a label of its metrics. */
  readonly zone: string;
  /** Secrets by the names of their variables: a token, or the key to sign one. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Further settings, such as the issuer that tokens must name. */
  readonly settings: Readonly<Record<string, string>>;
  readonly log: LogTarget;
}

/** The probe's program in the image, and in the sources it is built from. */
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
    // Its metrics are for the collector beside it, and for nobody else.
    environment: pairs({ ...options.settings, HOST: '127.0.0.1', PROBE_URL: options.url, PROBE_ZONE: options.zone }),
    secrets: Object.entries(options.secrets).map(([name, valueFrom]) => ({ name, valueFrom })),
    logConfiguration: logTo(options.log, 'probe'),
  };
}
