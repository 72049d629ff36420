/**
 * Runs once before all tests: builds `dist/`, fetches missing programs where it may, starts the PostgreSQL that all
 * integration tests share. What must be stopped is handed to `global-teardown.mjs`. When only unit tests are asked
 * for, it does nothing.
 */
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { installPackages, whyNotInstallable } from '../../infra/host/packages.ts';
import { temporaryDirectory } from '../../infra/host/reaper.ts';
import { PostgresServer } from '../../infra/local/servers/postgres.ts';
import { build } from '../../server/tools/build.ts';
import { ADMIN_URL } from './database.ts';
import { findRequirement, flagOf, REQUIREMENTS, type RequirementName } from './programs.ts';
import { shared } from './shared.ts';

const INSTALL_TIMEOUT_MS = 300_000;
const TESTS = join(import.meta.dirname, '..');
/** These need nothing but Node. */
const SELF_CONTAINED = ['unit'];

/** What Jest tells about the run; only what is used here. */
interface Run {
  readonly testPathPatterns?: {
    isMatch?: (path: string) => boolean;
    toPattern?: () => string;
    patterns?: readonly string[];
  };
}

export default async function setUp(run: Run): Promise<void> {
  if (!needsServers(run)) return;
  const names = Object.keys(REQUIREMENTS) as RequirementName[];
  await Promise.all([build(), fetchMissing(names), startPostgres()]);
  for (const name of names) process.env[flagOf(name)] = findRequirement(name) === undefined ? '0' : '1';
}

/** Whether any test file of this run is more than self-contained. */
function needsServers({ testPathPatterns }: Run): boolean {
  const patterns = (testPathPatterns?.patterns ?? []).map((pattern) => new RegExp(pattern, 'i'));
  const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.test.ts'));
  return files
    .map((path) => join(TESTS, path))
    .filter((path) => patterns.length === 0 || patterns.some((pattern) => pattern.test(path)))
    .some((path) => !SELF_CONTAINED.includes(relative(TESTS, path).split('/')[0] ?? ''));
}

async function fetchMissing(names: readonly RequirementName[]): Promise<void> {
  const missing = names.filter((name) => findRequirement(name) === undefined);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((name) => REQUIREMENTS[name].package))].join(' ');
  let problem = whyNotInstallable();
  if (problem === undefined) {
    console.log(`\nInstalling with apt-get: ${packages} …`);
    problem = await installPackages(packages.split(' '), INSTALL_TIMEOUT_MS);
  }
  if (problem !== undefined)
    console.log(
      `\nMissing, so their tests are skipped: ${packages} (${problem}). As root: apt-get install ${packages}`,
    );
}

async function startPostgres(): Promise<void> {
  if (process.env[ADMIN_URL]) return;
  const postgres = await PostgresServer.start({ logFile: join(temporaryDirectory('tests'), 'postgres.log') });
  shared().postgres = postgres;
  process.env[ADMIN_URL] = postgres.url;
}
