/** `terraform validate` with the real AWS provider accepts every stack of every environment, also of those that are not deployed to the fake. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createApp } from '../../../infra/app.ts';
import { ENVIRONMENT_NAMES, type Environment } from '../../../infra/environments/types.ts';
import { ENVIRONMENTS } from '../../../infra/environments/values.ts';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';
import { TERRAFORM_ENV } from '../../support/aws-provider.ts';
import { STACKS } from '../../support/fake-aws/deployment.ts';
import { describeWith } from '../../support/requirements.ts';

/** The shipped environments, and one with settings that none of them uses. */
const VARIANTS: Readonly<Record<string, Environment>> = {
  ...ENVIRONMENTS,
  'redis in cluster mode, three zones, state in S3': {
    ...ENVIRONMENTS.staging,
    network: { ...ENVIRONMENTS.staging.network, zones: 3, endpoints: true },
    redis: { engine: 'redis', version: '7.1', nodeType: 'cache.m7g.large', replicas: 1, shards: 3 },
    observability: { ...ENVIRONMENTS.staging.observability, onCallEmail: 'on-call@example.com' },
    state: { backend: 's3', bucket: 'state', region: 'us-east-1', kmsKeyId: undefined },
  },
};

describeWith('terraform', 'awsProvider')('terraform validate', () => {
  let directory: string;
  beforeAll(() => {
    directory = temporaryDirectory('validate');
  });
  afterAll(() => removeTemporary(directory));

  test.each(Object.entries(VARIANTS))(
    '%s',
    async (name, environment) => {
      const outdir = join(directory, name.replaceAll(/\W/g, '-'));
      createApp({ environments: [environment], imageTag: '1.2.3', outdir }).synth();
      for (const stack of STACKS) {
        const cwd = join(outdir, 'stacks', `holdfast-${environment.name}-${stack}`);
        const init = await terraform(cwd, 'init', '-backend=false', '-no-color', '-input=false');
        if (init.code !== 0) throw new Error(init.output);
        const { output } = await terraform(cwd, 'validate', '-json');
        const { valid, diagnostics } = JSON.parse(output);
        expect([stack, diagnostics]).toEqual([stack, []]);
        expect(valid).toBe(true);
      }
    },
    300_000,
  );
});

test('there is a variant for each environment', () => {
  expect(Object.keys(VARIANTS)).toEqual(expect.arrayContaining([...ENVIRONMENT_NAMES]));
});

async function terraform(cwd: string, ...args: string[]): Promise<{ code: number | null; output: string }> {
  const env = { ...process.env, ...TERRAFORM_ENV };
  const child = spawn('terraform', args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(child, 'close');
  const [out, problems] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await closed) as [number | null];
  return { code, output: out || problems };
}
