/** The cdktf app: the four stacks of each environment, each with the stacks that it depends on. */
import { App, type AppConfig } from 'cdktf';
import type { Environment } from './environments/types.ts';
import { DataStack } from './stacks/data.ts';
import { NetworkStack } from './stacks/network.ts';
import { ObservabilityStack } from './stacks/observability.ts';
import { ServiceStack } from './stacks/service.ts';

export interface AppOptions extends AppConfig {
  readonly environments: readonly Environment[];
  /** Tag of the server image. */
  readonly imageTag: string;
}

/** Builds all stacks in memory; `synth()` of the result writes them. */
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
