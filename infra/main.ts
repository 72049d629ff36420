/**
 * The program that `cdktf` runs (cdktf.json): writes the stacks of one environment. HOLDFAST_ENVIRONMENT names it,
 * `dev` by default. HOLDFAST_IMAGE_TAG is the tag of the server image, by default the version in package.json.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApp } from './app.ts';
import { EnvironmentError, findEnvironment } from './environments/rules.ts';

const { HOLDFAST_ENVIRONMENT: wanted = 'dev', HOLDFAST_IMAGE_TAG } = process.env;
const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8'));

try {
  createApp({ environments: [findEnvironment(wanted)], imageTag: HOLDFAST_IMAGE_TAG || String(version) }).synth();
} catch (error) {
  if (!(error instanceof EnvironmentError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
