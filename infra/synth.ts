/**
 * `npm run synth`: writes the Terraform of some or all environments and prints a summary, to check a change or to run
 * scanners on the result. Deploys nothing and needs no AWS credentials.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Table from 'cli-table3';
import { Command } from 'commander';
import { createApp } from './app.ts';
import { EnvironmentError, findEnvironment } from './environments/rules.ts';
import { ENVIRONMENT_NAMES } from './environments/types.ts';

interface StackSummary {
  readonly stack: string;
  readonly resources: number;
  readonly bytes: number;
  /** The Terraform JSON of the stack. */
  readonly file: string;
}

/** Writes the stacks below `outdir`. @throws EnvironmentError when an environment cannot be deployed */
export function synthesise(names: readonly string[], outdir: string, imageTag: string): StackSummary[] {
  createApp({ environments: names.map(findEnvironment), imageTag, outdir }).synth();
  const stacks = join(outdir, 'stacks');
  return readdirSync(stacks)
    .filter((stack) => names.some((name) => stack.startsWith(`holdfast-${name}-`)))
    .map((stack) => {
      const file = join(stacks, stack, 'cdk.tf.json');
      const text = readFileSync(file, 'utf8');
      const { resource = {} } = JSON.parse(text) as { resource?: Record<string, object> };
      const resources = Object.values(resource).reduce((sum, byId) => sum + Object.keys(byId).length, 0);
      return { stack, resources, bytes: text.length, file };
    });
}

const program = new Command('npm run synth --')
  .description(
    'Checks environments and writes the Terraform of their stacks. Deploys nothing, and needs no AWS credentials.',
  )
  .argument('[environments...]', `environments to write: ${ENVIRONMENT_NAMES.join(', ')} (default: all)`)
  .option('-o, --output <directory>', 'directory to write to', 'cdktf.out')
  .option('--image-tag <tag>', 'tag of the server image', 'latest-synth')
  .option('--json', 'print the summary as JSON')
  .addHelpText('after', '\nExit codes: 0 written; 2 an environment cannot be deployed, the reasons are printed.')
  .action((names: string[], { output, imageTag, json }: { output: string; imageTag: string; json?: boolean }) => {
    const started = performance.now();
    const stacks = synthesise(names.length > 0 ? names : ENVIRONMENT_NAMES, output, imageTag);
    if (json) {
      process.stdout.write(`${JSON.stringify(stacks, null, 2)}\n`);
      return;
    }
    const table = new Table({ head: ['stack', 'resources', 'file'], style: { head: [], border: [] } });
    for (const { stack, resources, file } of stacks) table.push([stack, resources, file]);
    const seconds = ((performance.now() - started) / 1_000).toFixed(1);
    process.stdout.write(`${table.toString()}\n${stacks.length} stacks in ${seconds} s.\n`);
  });

try {
  program.parse();
} catch (error) {
  if (!(error instanceof EnvironmentError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
