/** The app with its environment unprotected, which is how an environment like prod is taken down: see infra/README.md. */
import { createApp } from '../../../infra/app.ts';
import type { EnvironmentName } from '../../../infra/environments/types.ts';
import { ENVIRONMENTS } from '../../../infra/environments/values.ts';

const environment = ENVIRONMENTS[process.env.HOLDFAST_ENVIRONMENT as EnvironmentName];
createApp({
  environments: [{ ...environment, protected: false }],
  imageTag: process.env.HOLDFAST_IMAGE_TAG ?? '',
}).synth();
