/**
 * `npm run dashboards`: generates dashboards, rule files and the facts of the runbooks from their sources. With `--check` it
 * only reports which files are stale. Owns the paths and files; the content is made in `lib`.
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

/** Every generated file: absolute path -> text. */
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

Every alert of Holdfast has a page here, under its name. \`page\` notifies the on-call engineer at once, \`ticket\` can wait for working
hours. The summary says what users notice; "Nothing yet" means that users do not notice anything so far.

${runbookIndex(ALERTS)}
`;
}

/** Files in the generated folders that no source generates any more, for example of a renamed alert. */
function orphans(files: ReadonlyMap<string, string>): string[] {
  return [join(OUT, 'boards'), join(OUT, 'rules'), RUNBOOKS]
    .filter(existsSync)
    .flatMap((directory) => readdirSync(directory).map((name) => join(directory, name)))
    .filter((path) => !files.has(path));
}

/** Paths, relative to the root, of files that differ from what would be generated, and of orphans. */
export function stalePaths(): string[] {
  const files = generatedFiles();
  const stale = [...files].filter(([path, text]) => !existsSync(path) || readFileSync(path, 'utf8') !== text);
  return [...stale.map(([path]) => path), ...orphans(files)].map((path) => relative(ROOT, path));
}

function write(): number {
  const stale = stalePaths();
  const files = generatedFiles();
  for (const path of orphans(files)) rmSync(path);
  for (const [path, text] of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return stale.length;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const program = new Command('npm run dashboards --')
    .description('Generates dashboards, rule files and the facts of the runbooks from their sources.')
    .option('--check', 'only list stale files; exit code 1 if there are any')
    .parse();
  if (program.opts<{ check?: boolean }>().check) {
    const stale = stalePaths();
    for (const path of stale) console.log(`stale: ${path}`);
    console.log(stale.length === 0 ? 'All generated files are up to date.' : 'Run npm run dashboards.');
    process.exitCode = stale.length === 0 ? 0 : 1;
  } else {
    const changed = write();
    console.log(`${generatedFiles().size} files, ${changed} of them changed.`);
  }
}
