/**
 * The steps of `npm start`, in order, from a machine without Redis and nginx to a running cluster. Decides what happens
 * when a program is missing. Prints through `say`; never exits the process.
 */
import { join } from 'node:path';
import { ensureBuilt } from '../../../server/tools/build-cache.ts';
import { installPackages, whyNotInstallable } from '../../host/packages.ts';
import { isFree } from '../../host/ports.ts';
import { identify } from '../../host/process-identity.ts';
import { observeWatched } from '../../host/reaper.ts';
import { reachableDirectory, unprivilegedUser } from '../../host/unprivileged.ts';
import { type Cluster, type ClusterPorts, startCluster } from '../servers/cluster.ts';
import { findNginx, NGINX_MISSING } from '../servers/nginx.ts';
import { findRedis, REDIS_MISSING } from '../servers/redis.ts';
import { endOrphans, runningLauncher } from './orphans.ts';
import { report } from './report.ts';
import type { Settings } from './settings.ts';
import { type LocalState, newSecret, readState, stateDirectory, writeState } from './state.ts';

const INSTALL_TIMEOUT_MS = 180_000;
const DEMO_TOKEN_SECONDS = 12 * 3600;

type Say = (line: string) => void;

/** The state file of a launcher. */
interface Records {
  readonly state: LocalState;
  readonly recordUrl: (url: string) => void;
}

/**
 * Starts a cluster and prints its addresses.
 * @throws Error with a message for the user at the terminal, after stopping what had been started
 */
export async function launch(settings: Settings, signal: AbortSignal, say: Say): Promise<Cluster> {
  const directory = stateDirectory();
  const { state, recordUrl } = await takeOver(directory, settings, say);
  const notes = await installMissing(settings, signal, say);
  const redis = settings.redisUrl !== '' || findRedis() !== undefined;
  const nginx = findNginx() !== undefined;
  await checkPorts(settings.ports, nginx);
  await ensureBuilt();
  signal.throwIfAborted();
  const logDirectory = join(directory, 'logs');
  const cluster = await startCluster({
    nodes: settings.ports.nodes.length,
    redis,
    nginx,
    databaseUrl: settings.databaseUrl || undefined,
    redisUrl: settings.redisUrl || undefined,
    env: { ...settings.env, ...allowedOrigins(settings, nginx) },
    secret: settings.foreignTokens ? null : state.secret,
    ports: settings.ports,
    logDirectory,
    signal,
    ...(state.postgresDirectory === undefined ? {} : { postgresDirectory: state.postgresDirectory }),
  });
  recordUrl(cluster.url);
  const tokens = settings.foreignTokens ? undefined : await demoTokens(cluster);
  say(report({ cluster, tokens, redisUrl: settings.redisUrl, logDirectory, notes }));
  return cluster;
}

/** Tokens of two users, one per pane of the demo page, so that typing and presence show both. */
async function demoTokens(cluster: Cluster): Promise<readonly [string, string]> {
  const token = (user: string) => cluster.token({ user, ttlSeconds: DEMO_TOKEN_SECONDS });
  return [await token('ada'), await token('ben')];
}

/** Records an orderly stop: no process runs. The secret and the data are kept. */
export function recordStopped(): void {
  const { launcher: _, url: __, ...state } = readState() ?? { secret: newSecret(), processes: [] };
  writeState({ ...state, processes: [] });
}

/**
 * Makes this process the launcher of the state directory: ends processes that a killed launcher left behind, and
 * records every process that starts from here on.
 */
async function takeOver(directory: string, settings: Settings, say: Say): Promise<Records> {
  const previous = readState(directory);
  const running = runningLauncher(previous);
  if (running !== undefined)
    throw new Error(`Holdfast already runs from ${directory} (pid ${running}). Stop it first: kill ${running}`);
  const ended = await endOrphans(previous);
  if (ended.length > 0) say(`Stopped processes that an earlier start had left running: ${ended.join(', ')}.`);
  let state: LocalState = {
    secret: settings.secret || previous?.secret || newSecret(),
    launcher: identify(process.pid),
    processes: [],
    ...(settings.databaseUrl === ''
      ? { postgresDirectory: reachableDirectory(unprivilegedUser(), join(directory, 'postgres')) }
      : {}),
  };
  writeState(state, directory);
  const update = (changes: Partial<LocalState>) => {
    state = { ...state, ...changes };
    writeState(state, directory);
  };
  observeWatched((processes) => update({ processes: processes.map(({ pid, name }) => ({ ...identify(pid), name })) }));
  return { state, recordUrl: (url) => update({ url }) };
}

/**
 * Installs redis-server and nginx if it can. Returns a note for the user about each program that is still missing.
 */
async function installMissing(settings: Settings, signal: AbortSignal, say: Say): Promise<string[]> {
  const missing = () => [
    ...(settings.redisUrl === '' && findRedis() === undefined ? ['redis-server'] : []),
    ...(findNginx() === undefined ? ['nginx'] : []),
  ];
  const wanted = missing();
  if (wanted.length === 0) return [];
  let why = whyNotInstallable();
  if (why === undefined) {
    say(`Installing ${wanted.join(' and ')} with apt-get; this happens only once …`);
    why = await installPackages(wanted, INSTALL_TIMEOUT_MS, signal);
    signal.throwIfAborted();
  }
  return missing().map((name) => explainMissing(name, why ?? 'apt-get did not install it'));
}

function explainMissing(name: string, why: string): string {
  if (name === 'nginx')
    return `No balancer: ${NGINX_MISSING}, and ${why}. Connect to the nodes directly, at the addresses above.`;
  return (
    `Degraded, without Redis: ${REDIS_MISSING}, and ${why}. Messages between nodes arrive about 200 ms later, ` +
    'and presence and typing are visible only on the same node. Install redis-server, or set REDIS_URL.'
  );
}

/** Without a balancer, the demo page comes from one node and connects to the other, which must allow that origin. */
function allowedOrigins(settings: Settings, nginx: boolean): Record<string, string> {
  if (nginx) return {};
  const own = settings.ports.nodes.flatMap((port) => [`http://127.0.0.1:${port}`, `http://localhost:${port}`]);
  return { ALLOWED_ORIGINS: [settings.env.ALLOWED_ORIGINS ?? '', ...own].filter(Boolean).join(',') };
}

/** @throws Error naming the port and the setting that changes it */
async function checkPorts(ports: ClusterPorts, nginx: boolean): Promise<void> {
  const wanted = [
    ...(nginx ? [{ port: ports.balancer, what: 'the balancer', setting: 'PORT' }] : []),
    ...ports.nodes.map((port, index) => ({ port, what: `node-${index + 1}`, setting: 'NODE_PORT' })),
    ...ports.metrics.map((port, index) => ({
      port,
      what: `the metrics of node-${index + 1}`,
      setting: 'METRICS_PORT',
    })),
  ];
  for (const { port, what, setting } of wanted) {
    if (await isFree(port)) continue;
    throw new Error(
      `Port ${port}, for ${what}, is taken by another process. Choose another one: ${setting}=${port + 1000} npm start`,
    );
  }
}
