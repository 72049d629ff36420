/** Runs `cdktf deploy` and `cdktf destroy` in a temporary directory, against a fake AWS. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EnvironmentName } from '../../../infra/environments/types.ts';
import { ROOT } from '../../../infra/host/paths.ts';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';
import { TERRAFORM_ENV } from '../aws-provider.ts';
import type { FakeAws } from './fake-aws.ts';

export const STACKS = ['network', 'data', 'service', 'observability'] as const;

export interface CommandResult {
  readonly code: number;
  readonly output: string;
}

export class Deployment {
  readonly environment: EnvironmentName;
  private readonly aws: FakeAws;
  /** Holds cdktf.json, cdktf.out and the state. */
  private readonly directory: string;
  private runs = 0;

  constructor(aws: FakeAws, environment: EnvironmentName) {
    this.aws = aws;
    this.environment = environment;
    this.directory = temporaryDirectory(`deploy-${environment}`);
    this.use('infra/main.ts');
  }

  /** The app that the next command synthesises, relative to the repository. */
  use(app: string): void {
    const { app: _, ...config } = JSON.parse(readFileSync(join(ROOT, 'cdktf.json'), 'utf8'));
    const tsx = fileURLToPath(import.meta.resolve('tsx'));
    const command = `node --import ${tsx} ${join(ROOT, app)}`;
    writeFileSync(join(this.directory, 'cdktf.json'), JSON.stringify({ ...config, app: command }));
  }

  /** Deploys all stacks, or one of them with the flags that infra/README.md gives. */
  deploy(stack?: (typeof STACKS)[number]): Promise<CommandResult> {
    const what = stack ? [this.stackName(stack), '--ignore-missing-stack-dependencies'] : ['*'];
    return this.cdktf('deploy', ...what, '--auto-approve', '--skip-provider-lock');
  }

  /** Destroys these stacks, or all. cdktf finds their order. */
  destroy(...stacks: (typeof STACKS)[number][]): Promise<CommandResult> {
    const names = stacks.length > 0 ? stacks.map((stack) => this.stackName(stack)) : ['*'];
    return this.cdktf('destroy', ...names, '--auto-approve', '--skip-provider-lock');
  }

  /** Terraform's own plan of a deployed stack. Exit code 0: no changes, 2: changes. */
  plan(stack: (typeof STACKS)[number]): Promise<CommandResult> {
    return this.run(
      'terraform',
      ['plan', '-detailed-exitcode', '-no-color', '-input=false'],
      this.stackDirectory(stack),
    );
  }

  async outputs(stack: (typeof STACKS)[number]): Promise<Record<string, { readonly value: unknown }>> {
    const { output } = await this.run('terraform', ['output', '-json'], this.stackDirectory(stack));
    return JSON.parse(output);
  }

  /** The Terraform state of a stack, as JSON text. */
  state(stack: (typeof STACKS)[number]): string {
    return readFileSync(join(this.directory, `terraform.${this.stackName(stack)}.tfstate`), 'utf8');
  }

  remove(): void {
    removeTemporary(this.directory);
  }

  private stackName(stack: string): string {
    return `holdfast-${this.environment}-${stack}`;
  }

  private stackDirectory(stack: string): string {
    return join(this.directory, 'cdktf.out', 'stacks', this.stackName(stack));
  }

  private cdktf(...args: string[]): Promise<CommandResult> {
    return this.run(join(ROOT, 'node_modules', '.bin', 'cdktf'), args, this.directory);
  }

  private async run(command: string, args: readonly string[], cwd: string): Promise<CommandResult> {
    this.runs += 1;
    const file = join(this.directory, `run-${this.runs}.log`);
    const log = createWriteStream(file);
    const child = spawn(command, args, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...this.aws.env,
        HOLDFAST_ENVIRONMENT: this.environment,
        HOLDFAST_IMAGE_TAG: '1.2.3',
        // No questions and no colours.
        CI: 'true',
        NO_COLOR: '1',
        ...TERRAFORM_ENV,
        // The fake answers one request at a time, and the provider retries what waits too long.
        TF_CLI_ARGS_apply: '-parallelism=5',
        TF_CLI_ARGS_destroy: '-parallelism=5',
      },
    });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    const [code] = (await once(child, 'close')) as [number | null];
    log.end();
    await once(log, 'close');
    return { code: code ?? -1, output: readFileSync(file, 'utf8') };
  }
}
