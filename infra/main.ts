/**
 * The cdktf app: which environment, and its stacks. `HOLDFAST_ENVIRONMENT` names one, dev by default; `all` is for
 * looking at all of them (`npm run synth`), never for deploying.
 */
import { App } from 'cdktf';
import { EnvironmentError, findEnvironment } from './environment-rules.ts';
import { ENVIRONMENT_NAMES } from './environments.ts';
import { DataStack } from './stacks/data.ts';
import { NetworkStack } from './stacks/network.ts';

const wanted = process.env.HOLDFAST_ENVIRONMENT || 'dev';
const app = new App();
try {
  for (const name of wanted === 'all' ? ENVIRONMENT_NAMES : [wanted]) {
    const environment = findEnvironment(name);
    const network = new NetworkStack(app, environment);
    new DataStack(app, environment, network);
  }
  app.synth();
} catch (error) {
  if (!(error instanceof EnvironmentError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
