/**
 * Whether Terraform can have the AWS provider that the stacks are pinned to, asked of Terraform itself and once: it looks at
 * TF_CLI_CONFIG_FILE, plugin caches and implied mirrors, then at its registry. What it finds becomes a mirror of the
 * tests, so that many `terraform init` can run at once: they would race for one plugin cache.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../infra/host/paths.ts';

const DIRECTORY = join(ROOT, 'node_modules', '.cache', 'holdfast', 'terraform');
const CONFIG = join(DIRECTORY, 'mirror.tfrc');
const PROVIDERS = join(DIRECTORY, '.terraform', 'providers');

/** Longest wait for the registry to answer, seconds: where nothing answers, the tests are to be skipped soon. */
const REGISTRY_TIMEOUT_S = 5;
/** Longest time for everything: the provider is a download of 150 MB. Milliseconds. */
const INIT_TIMEOUT_MS = 300_000;

/** Environment for Terraform and cdktf in tests: the provider comes from the mirror that `whyNoAwsProvider` filled. */
export const TERRAFORM_ENV = {
  TF_CLI_CONFIG_FILE: CONFIG,
  // cdktf would name one plugin cache for all stacks, which parallel runs of `terraform init` corrupt.
  CDKTF_DISABLE_PLUGIN_CACHE_ENV: '1',
  CHECKPOINT_DISABLE: '1',
} as const;

/** Why the provider cannot be had, worded to follow "needs"; undefined when it can. Fills the mirror. */
export function whyNoAwsProvider(): string | undefined {
  mkdirSync(DIRECTORY, { recursive: true });
  const found = initFromMirror() || init(DIRECTORY, process.env);
  if (!found) return `Terraform finds no AWS provider ${providerVersion()}`;
  writeFileSync(
    CONFIG,
    `provider_installation {\n  filesystem_mirror {\n    path = ${JSON.stringify(PROVIDERS)}\n  }\n}\n`,
  );
  return undefined;
}

/** An earlier run has filled the mirror, and the version is still the right one. */
function initFromMirror(): boolean {
  const scratch = mkdtempSync(join(tmpdir(), 'holdfast-terraform-'));
  try {
    return init(scratch, { ...process.env, TF_CLI_CONFIG_FILE: CONFIG });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function init(cwd: string, env: NodeJS.ProcessEnv): boolean {
  const aws = { source: 'hashicorp/aws', version: providerVersion() };
  rmSync(join(cwd, '.terraform.lock.hcl'), { force: true });
  writeFileSync(join(cwd, 'main.tf.json'), JSON.stringify({ terraform: { required_providers: { aws } } }));
  const { status } = spawnSync('terraform', ['init', '-backend=false', '-input=false', '-no-color'], {
    cwd,
    timeout: INIT_TIMEOUT_MS,
    stdio: 'ignore',
    env: {
      ...env,
      CHECKPOINT_DISABLE: '1',
      TF_REGISTRY_CLIENT_TIMEOUT: String(REGISTRY_TIMEOUT_S),
      TF_REGISTRY_DISCOVERY_RETRY: '0',
    },
  });
  return status === 0;
}

/** The version that the installed constructs were generated from. */
function providerVersion(): string {
  const path = join(ROOT, 'node_modules', '@cdktf', 'provider-aws', 'package.json');
  const { cdktf } = JSON.parse(readFileSync(path, 'utf8')) as { cdktf: { provider: { version: string } } };
  return cdktf.provider.version;
}
