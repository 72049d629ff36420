/** The synthesised stacks of an environment, with their resources as one list for look-ups. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApp } from '../../../infra/app.ts';
import type { Environment } from '../../../infra/environments/types.ts';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';

/** Terraform's JSON below a resource: snake case, blocks as objects or lists. */
export type Config = Readonly<Record<string, unknown>>;

export interface Resource {
  /** `network`, `data`, `service`, `observability` */
  readonly stack: string;
  /** `aws_lb`, or for a data source `data.aws_iam_policy_document`. */
  readonly type: string;
  /** Path in the construct tree below the stack: `balancer/plain`. */
  readonly path: string;
  /** Terraform address, as in references: `aws_lb.balancer_balancer_12AB`. */
  readonly address: string;
  readonly config: Config;
}

export interface StackDocument {
  readonly terraform: Config;
  readonly provider: Config;
  readonly output?: Readonly<Record<string, { readonly value: unknown; readonly sensitive?: boolean }>>;
  readonly resource: Readonly<Record<string, Readonly<Record<string, Config>>>>;
  readonly data?: Readonly<Record<string, Readonly<Record<string, Config>>>>;
}

export class Synthesised {
  readonly environment: Environment;
  /** Stack name without `holdfast-<environment>-` -> its document. */
  readonly stacks: ReadonlyMap<string, StackDocument>;
  readonly resources: readonly Resource[];

  constructor(environment: Environment, imageTag = '1.2.3') {
    this.environment = environment;
    const outdir = temporaryDirectory('synth');
    try {
      createApp({ environments: [environment], imageTag, outdir }).synth();
      this.stacks = readStacks(outdir, environment.name);
    } finally {
      removeTemporary(outdir);
    }
    this.resources = [...this.stacks].flatMap(([stack, document]) => [
      ...list(stack, '', document.resource),
      ...list(stack, 'data.', document.data ?? {}),
    ]);
  }

  all(type: string): Resource[] {
    return this.resources.filter((resource) => resource.type === type);
  }

  /** The only resource of its type, or the one with this path. @throws Error when there is none, or more than one */
  one(type: string, path?: string): Resource {
    const found = this.all(type).filter((resource) => path === undefined || resource.path === path);
    if (found.length !== 1)
      throw new Error(`${found.length} of ${type} ${path ?? ''}: ${found.map((resource) => resource.path).join(', ')}`);
    return found[0] as Resource;
  }
}

function readStacks(outdir: string, environment: string): Map<string, StackDocument> {
  const directory = join(outdir, 'stacks');
  return new Map(
    readdirSync(directory).map((name) => [
      name.replace(`holdfast-${environment}-`, ''),
      JSON.parse(readFileSync(join(directory, name, 'cdk.tf.json'), 'utf8')) as StackDocument,
    ]),
  );
}

function list(stack: string, prefix: string, types: StackDocument['resource']): Resource[] {
  return Object.entries(types).flatMap(([type, byId]) =>
    Object.entries(byId).map(([id, { '//': note, ...config }]) => ({
      stack,
      type: prefix + type,
      path: pathIn(note),
      address: `${prefix}${type}.${id}`,
      config,
    })),
  );
}

function pathIn(note: unknown): string {
  const { path = '' } = (note as { metadata?: { path?: string } } | undefined)?.metadata ?? {};
  return path.split('/').slice(1).join('/');
}

/** Looks up a value by its path. A block may be an object or a list with one object. */
export function at(config: unknown, path: string): unknown {
  let value = config;
  for (const key of path.split('.')) {
    if (Array.isArray(value)) value = value[0];
    value = typeof value === 'object' && value !== null ? (value as Config)[key] : undefined;
  }
  return value;
}

/** All blocks at a path: none, one or several. */
export function blocks(config: unknown, path: string): Config[] {
  const value = at(config, path);
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]) as Config[];
}
