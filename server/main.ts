/** Entry point of a node: reads the settings, starts, drains on SIGTERM. Exit codes: 0 stopped, 1 failed, 2 wrong settings. */
import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { type Config, ConfigError, loadConfig } from './config.ts';
import { closeLog, createLogger, type Logger } from './logger.ts';
import { startNode } from './node.ts';
import { VERSION } from './version.ts';
import { superviseWorkers } from './workers.ts';

/** Longest time for closing HTTP, the backplane and the history after the drain, milliseconds. */
const STOP_GRACE_MS = 10_000;

function readConfig(): Config {
  try {
    return loadConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

function nodeIdOf(config: Config): string {
  return config.NODE_ID || `${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`;
}

function stopOnSignals(stop: () => Promise<void>, config: Config, log: Logger): void {
  let stopping = false;
  const begin = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'Draining.');
    setTimeout(() => {
      log.error('Stopping took too long; exiting anyway.');
      process.exit(1);
    }, config.DRAIN_TIMEOUT_MS + STOP_GRACE_MS).unref();
    stop().then(
      () => {
        log.info('Stopped.');
        void closeLog(log).then(() => process.exit(0));
      },
      (error: unknown) => {
        log.error({ err: error }, 'Stopping failed.');
        void closeLog(log).then(() => process.exit(1));
      },
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => begin(signal));
}

async function main(): Promise<void> {
  const config = readConfig();
  const nodeId = nodeIdOf(config);
  const log = createLogger(config.LOG_LEVEL, nodeId);
  if (config.WORKERS > 1 && cluster.isPrimary) process.exit(await superviseWorkers(config, log));
  try {
    const begin = performance.now();
    const node = await startNode(config, nodeId, log);
    log.info(
      { version: VERSION, port: node.port, metrics_port: node.metricsPort, ms: Math.round(performance.now() - begin) },
      'Serving.',
    );
    stopOnSignals(node.stop, config, log);
  } catch (error) {
    log.error({ err: error }, startProblem(error as NodeJS.ErrnoException, config));
    process.exit(1);
  }
}

function startProblem(error: NodeJS.ErrnoException & { port?: number }, config: Config): string {
  if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') return `The node could not start: ${error.message}`;
  const setting = error.port === config.METRICS_PORT ? 'METRICS_PORT' : 'PORT';
  const problem = error.code === 'EADDRINUSE' ? 'is in use by another process' : 'may not be opened by this user';
  return `Port ${error.port} ${problem}; choose another with ${setting}.`;
}

await main();
