/**
 * Entry point of a probe: runs rounds until SIGTERM, or one round with `--once`. Exit codes: 0 success, 1 the round failed,
 * 2 wrong settings.
 */
import { hostname } from 'node:os';
import { Command } from 'commander';
import { ConfigError } from '../env.ts';
import { createLogger } from '../logger.ts';
import { PROBE_METRICS, PROBE_PHASES } from '../telemetry/catalogue.ts';
import { startTelemetry } from '../telemetry/start.ts';
import { VERSION } from '../version.ts';
import { probeToken } from './access.ts';
import { runProbe } from './probe.ts';
import { type RoundOptions, type RoundResult, runRound } from './round.ts';
import { loadProbeSettings, type ProbeSettings, probeChannel } from './settings.ts';

interface Options {
  readonly url?: string;
  readonly token?: string;
  readonly once?: boolean;
  readonly json?: boolean;
}

const program = new Command('probe')
  .description(
    'Tests a Holdfast from outside: connects, publishes through one node, receives through another, drops the connection and recovers. Settings are environment variables (server/README.md).',
  )
  .option('--url <url>', 'address of the service; replaces PROBE_URL')
  .option('--token <jwt>', 'token to connect with; replaces PROBE_TOKEN')
  .option('--once', 'run one round, print it, and exit with 0 (success) or 1 (failure)')
  .option('--json', 'with --once: print the round as JSON')
  .allowExcessArguments(false);

async function main(): Promise<number> {
  const options = program.parse().opts<Options>();
  const settings = loadProbeSettings({
    ...process.env,
    ...(options.url && { PROBE_URL: options.url }),
    ...(options.token && { PROBE_TOKEN: options.token }),
  });
  const round = roundOptions(settings);
  if (!options.once) return runUntilSignal(settings, round);
  const result = await runRound(round);
  console.log(options.json ? JSON.stringify(result) : describe(result));
  return result.ok ? 0 : 1;
}

function roundOptions(settings: ProbeSettings): RoundOptions {
  const channel = probeChannel(settings, hostname());
  const { PROBE_TOKEN: token, AUTH_JWT_SECRET: secret, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = settings;
  return {
    url: settings.PROBE_URL,
    channel,
    token: () => probeToken({ token, secret, issuer, audience, channel }),
    timeoutMs: settings.PROBE_TIMEOUT_MS,
    messages: settings.PROBE_MESSAGES,
  };
}

async function runUntilSignal(settings: ProbeSettings, round: RoundOptions): Promise<number> {
  const instanceId = `probe-${settings.PROBE_ZONE || hostname()}`;
  const log = createLogger(settings.LOG_LEVEL, instanceId);
  const telemetry = await startTelemetry({
    service: 'holdfast-probe',
    instanceId,
    version: VERSION,
    catalogue: PROBE_METRICS,
    host: settings.HOST,
    metricsPort: settings.METRICS_PORT,
    otlpEndpoint: '',
    sampleRatio: 0,
  });
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  log.info({ version: VERSION, url: settings.PROBE_URL, metrics_port: telemetry.port }, 'Probing.');
  await runProbe({
    round,
    intervalMs: settings.PROBE_INTERVAL_MS,
    metrics: telemetry.metrics,
    onRound: (result) => (result.ok ? log.debug(result, 'A round succeeded.') : log.warn(result, 'A round failed.')),
    signal: stop.signal,
  });
  await telemetry.stop();
  return 0;
}

/** One line for each phase, then the result. */
function describe({ ok, failed, seconds, nodes, findings }: RoundResult): string {
  const lines = PROBE_PHASES.map((phase) => {
    if (failed?.phase === phase) return `${phase.padEnd(10)} FAILED  ${failed.reason}`;
    const taken = seconds[phase];
    return `${phase.padEnd(10)} ${taken === undefined ? '-' : `${(taken * 1_000).toFixed(1)} ms`}`;
  });
  const through = nodes.receiver
    ? `published through ${nodes.publisher}, received through ${nodes.receiver}`
    : 'could not connect';
  const messages = findings ? `, ${findings.received} messages in order` : '';
  return [...lines, '', `${ok ? 'Success' : 'Failed'}: ${through}${messages}.`].join('\n');
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
