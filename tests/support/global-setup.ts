/**
 * Runs once before all tests. Finds out what the test files of this run need and the machine lacks, installs it where it may,
 * and, if any of them starts servers, builds `dist/` and starts the PostgreSQL that they share. `global-teardown.mjs`
 * stops what is handed to it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { installPackages, whyNotInstallable } from '../../infra/host/packages.ts';
import { ROOT } from '../../infra/host/paths.ts';
import { temporaryDirectory } from '../../infra/host/reaper.ts';
import { PostgresServer } from '../../infra/local/servers/postgres.ts';
import { ensureBuilt } from '../../server/tools/build-cache.ts';
import { ADMIN_URL } from './database.ts';
import {
  FINDINGS,
  findRequirement,
  REQUIREMENTS,
  type Requirement,
  type RequirementName,
  whyMissing,
} from './programs.ts';
import { shared } from './shared.ts';

const INSTALL_TIMEOUT_MS = 300_000;
const TESTS = join(ROOT, 'tests');
/** Test files below these start no server. */
const SERVERLESS = ['unit/', 'contracts/', 'deep/aws/'];

/** What Jest hands to a global set-up; only what is used here. */
interface GlobalConfig {
  readonly testPathPatterns?: { readonly patterns?: readonly string[] };
}
interface ProjectConfig {
  readonly testPathIgnorePatterns?: readonly string[];
}

export default async function setUp(run: GlobalConfig, project: ProjectConfig): Promise<void> {
  const files = testFiles(run, project);
  await installMissing(requirementsOf(files));
  const findings = requirementsOf(files).map((name) => [name, whyMissing(name) ?? null]);
  process.env[FINDINGS] = JSON.stringify(Object.fromEntries(findings));
  const needsServers = files.some((path) => !SERVERLESS.some((folder) => relative(TESTS, path).startsWith(folder)));
  if (needsServers) await Promise.all([ensureBuilt(), startPostgres()]);
}

/** The test files that Jest is about to run. */
function testFiles({ testPathPatterns }: GlobalConfig, { testPathIgnorePatterns = [] }: ProjectConfig): string[] {
  const wanted = (testPathPatterns?.patterns ?? []).map((pattern) => new RegExp(pattern, 'i'));
  const ignored = testPathIgnorePatterns.map((pattern) => new RegExp(pattern));
  return readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => join(TESTS, path))
    .filter((path) => wanted.length === 0 || wanted.some((pattern) => pattern.test(path)))
    .filter((path) => !ignored.some((pattern) => pattern.test(path)));
}

/** The names in calls of `describeWith`, which stand in the test files as literals. */
function requirementsOf(files: readonly string[]): RequirementName[] {
  const calls = files.flatMap((path) => [...readFileSync(path, 'utf8').matchAll(/\bdescribeWith\(([^)]*)\)/g)]);
  const names = calls.flatMap(([, list = '']) => [...list.matchAll(/'(\w+)'/g)].map((match) => match[1] ?? ''));
  return [...new Set(names)].filter((name): name is RequirementName => name in REQUIREMENTS);
}

async function installMissing(needed: readonly RequirementName[]): Promise<void> {
  const packageOf = (name: RequirementName) => (REQUIREMENTS[name] as Requirement).package;
  const missing = needed.filter((name) => packageOf(name) !== undefined && findRequirement(name) === undefined);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.flatMap((name) => packageOf(name) ?? []))];
  let problem = whyNotInstallable();
  if (problem === undefined) {
    console.log(`\nInstalling with apt-get: ${packages.join(' ')} ...`);
    problem = await installPackages(packages, INSTALL_TIMEOUT_MS);
  }
  if (problem !== undefined) {
    const list = packages.join(' ');
    console.log(`\nNot installed, so their tests are skipped: ${list} (${problem}). As root: apt-get install ${list}`);
  }
}

async function startPostgres(): Promise<void> {
  if (process.env[ADMIN_URL]) return;
  const postgres = await PostgresServer.start({ logFile: join(temporaryDirectory('tests'), 'postgres.log') });
  shared().postgres = postgres;
  process.env[ADMIN_URL] = postgres.url;
}
