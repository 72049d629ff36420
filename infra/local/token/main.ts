/** `npm run token`: prints a token for a local Holdfast. Owns the command line; `sign-token.ts` owns the contents of a token. */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { findRunningCluster } from '../start/running-cluster.ts';
import { readState, stateDirectory } from '../start/state.ts';
import { signToken } from './sign-token.ts';

interface Options {
  readonly user: string;
  readonly subscribe: readonly string[];
  readonly publish: readonly string[];
  readonly ttl: number;
  readonly secret?: string;
  readonly json?: boolean;
}

/** Wrong usage or configuration. The message is one line; exit code 2. */
class UsageError extends Error {}

const program = new Command('npm run token --')
  .description(
    'Prints a token (HS256 JWT) for a Holdfast that checks them with AUTH_JWT_SECRET, such as the one of npm start.',
  )
  .requiredOption('-u, --user <name>', 'who the token is for; the sender of their messages')
  .option('-s, --subscribe <patterns...>', 'channels to subscribe to; * stands for anything', ['room:*'])
  .option('-p, --publish <patterns...>', 'channels to publish to', ['room:*'])
  .option('-t, --ttl <seconds>', 'how long it is valid', seconds, 3600)
  .option(
    '--secret <secret>',
    'signing secret; default: AUTH_JWT_SECRET, else that of npm start in this checkout (.holdfast/local.json)',
  )
  .option('--json', 'print token, claims and expiry as JSON')
  .allowExcessArguments(false)
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, '')) })
  .addHelpText(
    'after',
    `
Exit codes: 0 printed, 2 wrong usage or no secret.

  npm run --silent token -- --user ada --subscribe 'room:*' 'dm:ada' --publish 'room:*' --ttl 3600`,
  )
  .exitOverride();

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('It must be a whole number of seconds, at least 1.');
  return value;
}

/** Where the secret comes from is printed to stderr, so that stdout holds the token alone. */
function secretOf(options: Options): string {
  const secret = options.secret ?? process.env.AUTH_JWT_SECRET ?? localSecret();
  if (!secret)
    throw new UsageError('There is no secret to sign with: give --secret, set AUTH_JWT_SECRET, or run npm start once.');
  if (Buffer.byteLength(secret) < 32)
    throw new UsageError('The secret must be at least 32 bytes, as RFC 7518 asks of HS256 keys.');
  return secret;
}

function localSecret(): string | undefined {
  const secret = readState()?.secret;
  if (secret !== undefined) {
    const url = findRunningCluster()?.url;
    const where = url === undefined ? `npm start, which does not run now (${stateDirectory()})` : url;
    process.stderr.write(`Token for ${where}. For another service: --secret or AUTH_JWT_SECRET.\n`);
  }
  return secret;
}

/** `a,b c` and `a b c` mean the same; no channel name has a comma. */
function patterns(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(',')).filter(Boolean);
}

async function main(): Promise<void> {
  program.parse();
  const options = program.opts<Options>();
  const claims = {
    user: options.user,
    subscribe: patterns(options.subscribe),
    publish: patterns(options.publish),
    ttlSeconds: options.ttl,
  };
  const expires = new Date(Date.now() + options.ttl * 1000).toISOString();
  const token = await signToken(claims, secretOf(options));
  const { user, subscribe, publish } = claims;
  console.log(options.json ? JSON.stringify({ token, user, subscribe, publish, expires_at: expires }, null, 2) : token);
}

try {
  await main();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
