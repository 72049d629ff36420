/**
 * What `cdktf` runs: reads which environment is wanted and writes its stacks. `HOLDFAST_ENVIRONMENT` names one, dev by
 * default; `all` is for looking at all of them (`npm run synth`), never for deploying. `HOLDFAST_IMAGE_TAG` names the
 * image to run; default: this version.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApp } from './app.ts';
import { EnvironmentError, findEnvironment } from './environment-rules.ts';
import { ENVIRONMENT_NAMES } from './environments.ts';

const { HOLDFAST_ENVIRONMENT: wanted = 'dev', HOLDFAST_IMAGE_TAG } = process.env;
const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8'));

try {
  const names = wanted === 'all' ? ENVIRONMENT_NAMES : [wanted];
  createApp({ environments: names.map(findEnvironment), imageTag: HOLDFAST_IMAGE_TAG || String(version) }).synth();
} catch (error) {
  if (!(error instanceof EnvironmentError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
