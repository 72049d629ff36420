/**
 * `npm run dashboards`: writes dashboards, rule files and the facts of the runbooks from their sources; `--check` only
 * says whether they are up to date. Owns paths and files, and no content.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { ALL_BOARDS } from './boards/index.ts';
import { grafanaDashboard } from './lib/grafana.ts';
import { ruleFile } from './lib/rule.ts';
import { runbookIndex, runbookPage } from './lib/runbook.ts';
import { ALERTS, RULE_GROUPS } from './rules/index.ts';

const ROOT = join(import.meta.dirname, '..');
const OUT = join(import.meta.dirname, 'out');
const RUNBOOKS = join(ROOT, 'runbooks', 'alerts');
const INDEX = join(RUNBOOKS, 'README.md');

/** Absolute path -> text of every generated file. */
export function generatedFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const board of ALL_BOARDS)
    files.set(join(OUT, 'boards', `${board.name}.json`), `${JSON.stringify(grafanaDashboard(board), null, 2)}\n`);
  for (const group of RULE_GROUPS) files.set(join(OUT, 'rules', `${group.name}.yml`), ruleFile(group));
  for (const alert of ALERTS) {
    const path = join(RUNBOOKS, `${alert.alert}.md`);
    files.set(path, runbookPage(alert, existsSync(path) ? readFileSync(path, 'utf8') : undefined));
  }
  files.set(INDEX, indexPage());
  return files;
}

function indexPage(): string {
  return `# Alerts

Every alert of Holdfast has a page here, under its name. \`page\` calls somebody at once, \`ticket\` waits for working hours.

${runbookIndex(ALERTS)}
`;
}

/** What lies in the generated folders and is not generated any more: a board or a rule that was renamed. */
function leftovers(files: ReadonlyMap<string, string>): string[] {
  return [join(OUT, 'boards'), join(OUT, 'rules'), RUNBOOKS]
    .filter(existsSync)
    .flatMap((directory) => readdirSync(directory).map((name) => join(directory, name)))
    .filter((path) => !files.has(path));
}

/** Paths, from the root, of what is not as it would be generated. */
export function stalePaths(): string[] {
  const files = generatedFiles();
  const stale = [...files].filter(([path, text]) => !existsSync(path) || readFileSync(path, 'utf8') !== text);
  return [...stale.map(([path]) => path), ...leftovers(files)].map((path) => relative(ROOT, path));
}

function write(): number {
  const stale = stalePaths();
  const files = generatedFiles();
  for (const path of leftovers(files)) rmSync(path);
  for (const [path, text] of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return stale.length;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const program = new Command('npm run dashboards --')
    .description('Writes dashboards, rules and the facts of the runbooks from their sources.')
    .option('--check', 'only say what is stale; exit code 1 if anything is')
    .parse();
  if (program.opts<{ check?: boolean }>().check) {
    const stale = stalePaths();
    for (const path of stale) console.log(`stale: ${path}`);
    console.log(stale.length === 0 ? 'Everything is up to date.' : 'Run npm run dashboards.');
    process.exitCode = stale.length === 0 ? 0 : 1;
  } else {
    const changed = write();
    console.log(`${generatedFiles().size} files, ${changed} of them changed.`);
  }
}
