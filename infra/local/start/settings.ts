/** The settings of `npm start`, from flags and environment variables, checked. Starts nothing. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ConfigError, loadConfig } from '../../../server/config.ts';
import type { ClusterPorts } from '../servers/cluster.ts';

export interface Settings {
  readonly ports: ClusterPorts;
  /** Empty: the launcher starts PostgreSQL itself; the same for Redis below. */
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** Empty: use the secret in the state directory. */
  readonly secret: string;
  /** Nodes check tokens with AUTH_JWKS_URL, so the launcher cannot sign any. */
  readonly foreignTokens: boolean;
  /** Environment variables for every node, besides those that the cluster sets. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Wrong usage or configuration, with exit code 2; or a request for help, with exit code 0. The message is empty when
 * Commander has printed it.
 */
export class UsageError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 2) {
    super(message);
    this.exitCode = exitCode;
  }
}

interface Options {
  readonly port: number;
  readonly nodes: number;
  readonly nodePort?: number;
  readonly metricsPort: number;
}

/** Environment variables that are not passed on to nodes: those of the launcher, and those that differ per node. */
const NOT_PASSED_ON = ['HOST', 'PORT', 'METRICS_PORT', 'NODE_ID', 'NODES', 'NODE_PORT', 'HOLDFAST_DIR'];
/** Valid values in place of those that the launcher knows only later, so that the other settings can be checked now. */
const PLACEHOLDER = { DATABASE_URL: 'postgres://127.0.0.1/holdfast', SECRET: 'x'.repeat(32) };

/** @throws UsageError with every problem of the nodes' settings at once */
export function readSettings(argv: readonly string[]): Settings {
  const options = parseOptions(argv);
  const env: Record<string, string> = { DEMO_PAGE: 'true', DRAIN_TIMEOUT_MS: '5000', COMMAND_RATE: '1000' };
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && value !== '' && !NOT_PASSED_ON.includes(name) && !name.startsWith('npm_'))
      env[name] = value;
  }
  const foreignTokens = Boolean(env.AUTH_JWKS_URL);
  checkNodeSettings(env, foreignTokens);
  return {
    ports: portsOf(options, Number(env.WORKERS ?? 1)),
    databaseUrl: env.DATABASE_URL ?? '',
    redisUrl: env.REDIS_URL ?? '',
    secret: env.AUTH_JWT_SECRET ?? '',
    foreignTokens,
    env,
  };
}

function parseOptions(argv: readonly string[]): Options {
  const program = new Command('npm start --')
    .description(
      'Runs Holdfast on this machine, on 127.0.0.1 only: PostgreSQL, Redis, nodes, a balancer and the demo page. Ctrl-C stops it; data is kept.',
    )
    .addOption(new Option('--port <port>', 'port of the balancer').env('PORT').default(8080).argParser(port))
    .addOption(new Option('--nodes <count>', 'number of nodes').env('NODES').default(2).argParser(wholeNumber(1, 16)))
    .addOption(
      new Option(
        '--node-port <port>',
        'port of the first node; the others use the ports after it (default: --port plus 1)',
      )
        .env('NODE_PORT')
        .argParser(port),
    )
    .addOption(
      new Option('--metrics-port <port>', 'port of /metrics of the first node; the others use the ports after it')
        .env('METRICS_PORT')
        .default(9464)
        .argParser(port),
    )
    .allowExcessArguments(false)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, '')) })
    .addHelpText('after', HELP)
    .exitOverride();
  try {
    program.parse(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) throw new UsageError('', error.exitCode === 0 ? 0 : 2);
    throw error;
  }
  return program.opts<Options>();
}

const HELP = `
Environment:
  DATABASE_URL, REDIS_URL   use these servers instead of starting new ones
  AUTH_JWT_SECRET           key of tokens, at least 32 bytes (default: a random one per HOLDFAST_DIR)
  HOLDFAST_DIR              directory of data, logs and state (default: .holdfast)
  HOLDFAST_NO_INSTALL       any value: do not install redis-server and nginx with apt-get
  Settings of the server (server/README.md) are passed on to the nodes.

Exit codes: 0 stopped by a signal; 1 a part failed; 2 wrong usage or configuration.`;

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

function port(text: string): number {
  return wholeNumber(1, 65_535)(text);
}

/** With WORKERS, a node consists of several processes that share its port; each has its own metrics port. */
function portsOf(options: Options, workers: number): ClusterPorts {
  const first = options.nodePort ?? options.port + 1;
  const indexes = Array.from({ length: options.nodes }, (_, index) => index);
  const ports = {
    balancer: options.port,
    nodes: indexes.map((index) => first + index),
    metrics: indexes.map((index) => options.metricsPort + index * workers),
  };
  const all = [ports.balancer, ...ports.nodes, ...ports.metrics];
  if (new Set(all).size < all.length) {
    throw new UsageError(
      `Ports overlap: balancer ${ports.balancer}, nodes ${ports.nodes.join(' ')}, metrics ${ports.metrics.join(' ')}. Change --port, --node-port or --metrics-port.`,
    );
  }
  if (Math.max(...all) > 65_535) throw new UsageError(`Port ${Math.max(...all)} is above 65535. Choose lower ports.`);
  return ports;
}

function checkNodeSettings(env: Readonly<Record<string, string>>, foreignTokens: boolean): void {
  try {
    loadConfig({
      ...env,
      DATABASE_URL: env.DATABASE_URL ?? PLACEHOLDER.DATABASE_URL,
      ...(foreignTokens ? {} : { AUTH_JWT_SECRET: env.AUTH_JWT_SECRET ?? PLACEHOLDER.SECRET }),
    });
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.message);
    throw error;
  }
}
