/** Container definition of a probe: the server's image with another command. Pure. */
import { type ContainerDefinition, type LogTarget, logTo, pairs } from './containers.ts';

export interface ProbeContainerOptions {
  readonly image: string;
  /** Where clients connect: `https://host`. */
  readonly url: string;
  /** The zone it measures from, a label of its metrics. */
  readonly zone: string;
  readonly tokenKeyArn: string;
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
    environment: pairs({ PROBE_URL: options.url, PROBE_ZONE: options.zone }),
    secrets: [{ name: 'AUTH_JWT_SECRET', valueFrom: options.tokenKeyArn }],
    logConfiguration: logTo(options.log, 'probe'),
  };
}
