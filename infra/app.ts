/** The cdktf app: the four stacks of each environment, in the order in which they need each other. */
import { App, type AppConfig } from 'cdktf';
import type { Environment } from './environments/types.ts';
import { DataStack } from './stacks/data.ts';
import { NetworkStack } from './stacks/network.ts';
import { ObservabilityStack } from './stacks/observability.ts';
import { ServiceStack } from './stacks/service.ts';

export interface AppOptions extends AppConfig {
  readonly environments: readonly Environment[];
  /** Tag of the server's image. */
  readonly imageTag: string;
}

/** The app with all stacks, not yet written: call `synth()`. */
export function createApp({ environments, imageTag, ...config }: AppOptions): App {
  const app = new App(config);
  for (const environment of environments) {
    const network = new NetworkStack(app, environment);
    const data = new DataStack(app, environment, network);
    const service = new ServiceStack(app, environment, { network, data, imageTag });
    new ObservabilityStack(app, environment, { network, data, service });
  }
  return app;
}
