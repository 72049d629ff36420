/** `npm run image`: builds the server image with Docker, Podman or buildah, and pushes it on request. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { ROOT } from '../host/paths.ts';
import { removeTemporary, temporaryDirectory } from '../host/reaper.ts';
import { BUILDERS, type Builder, buildahStorage, buildCommand, findBuilder, run } from './builders.ts';
import { debianBase, importBase, NODE_VERSION } from './debian-base.ts';

const LOCAL_BASE = 'localhost/holdfast-base';

interface Options {
  readonly tag: string;
  readonly base?: string;
  readonly debian?: boolean;
  readonly platform?: string;
  readonly builder?: Builder;
  readonly push?: boolean;
  readonly output?: string;
}

/** Wrong usage, or no program that builds images. The message is one line; exit code 2. */
class UsageError extends Error {}

const program = new Command('npm run image --')
  .description('Builds the server image from server/Dockerfile.')
  .requiredOption('-t, --tag <name>', 'name and tag of the image, such as <repository_url>:1.2.3')
  .option('--base <image>', 'base image; name it by digest to pin it (default: the base of the Dockerfile)')
  .option(
    '--debian',
    `build the base image with debootstrap and Node.js ${NODE_VERSION}, without an image registry; needs buildah and root`,
  )
  .option('--platform <platform>', 'linux/arm64 or linux/amd64 (default: the platform of this machine)')
  .option('--builder <program>', `one of ${BUILDERS.join(', ')} (default: the first that works)`)
  .option('--push', 'push the image to its registry; log in to the registry first')
  .option('-o, --output <file>', 'also write the image to a file (docker archive)')
  .addHelpText(
    'after',
    `
Exit codes: 0 built; 1 a step failed; 2 wrong usage, or no program that builds images.

  aws ecr get-login-password | docker login --username AWS --password-stdin <registry>
  npm run image -- --tag <repository_url>:1.2.3 --platform linux/arm64 --push`,
  );

async function main(options: Options): Promise<void> {
  const builder = options.debian ? 'buildah' : (options.builder ?? findBuilder());
  if (!builder)
    throw new UsageError(
      `No program that builds images works here. Start Docker, or install one of ${BUILDERS.join(', ')}.`,
    );
  if (!BUILDERS.includes(builder)) throw new UsageError(`--builder must be one of ${BUILDERS.join(', ')}.`);
  const directory = options.debian ? temporaryDirectory('image') : undefined;
  const storage = directory === undefined ? undefined : { root: join(directory, 'root'), run: join(directory, 'run') };
  try {
    let base = options.base;
    if (storage) {
      importBase(debianBase(cachedBase()), LOCAL_BASE, storage);
      base = LOCAL_BASE;
    }
    const args = { VERSION: options.tag.split(':').at(-1) ?? '', ...(base !== undefined && { NODE_IMAGE: base }) };
    const request = { dockerfile: join(ROOT, 'server', 'Dockerfile'), context: ROOT, tag: options.tag, args };
    await run(buildCommand(builder, { ...request, platform: options.platform }, storage));
    const before = storage ? buildahStorage(storage) : [];
    if (options.output) await run(saveCommand(builder, before, options.tag, options.output));
    if (options.push) await run([builder, ...before, 'push', options.tag]);
  } finally {
    if (directory !== undefined) removeTemporary(directory);
  }
}

function saveCommand(builder: Builder, before: readonly string[], tag: string, file: string): [string, ...string[]] {
  if (builder === 'buildah') return [builder, ...before, 'push', tag, `docker-archive:${file}:${tag}`];
  return [builder, 'save', '-o', file, tag];
}

/** Path of the cached base image of `--debian`. */
export function cachedBase(): string {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(cache, 'holdfast', `base-bookworm-node-${NODE_VERSION}-${process.arch}.tar`);
}

try {
  await main(program.parse().opts<Options>());
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
