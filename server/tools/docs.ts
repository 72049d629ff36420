/**
 * `npm run docs`: writes the generated parts of the documents from the code. With `--check` it only reports stale ones.
 * A generated part stands between `<!-- generated: name -->` and `<!-- end -->`; this tool never changes the text around it.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { SETTING_GROUPS } from '../config.ts';
import { PROBE_SETTINGS } from '../probe/settings.ts';
import { CLOSE_CODES, ERROR_CODES } from '../protocol/codes.ts';
import { COMMANDS } from '../protocol/schemas.ts';
import { METRICS, PROBE_METRICS } from '../telemetry/catalogue.ts';
import { type Catalogue, prometheusName } from '../telemetry/definition.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** The documents by path from the root, and the generated parts that each must have. A missing marker is an error. */
const DOCUMENTS: Readonly<Record<string, readonly string[]>> = {
  'server/README.md': ['settings', 'metrics', 'settings of a probe', 'metrics of a probe'],
  'server/PROTOCOL.md': ['commands', 'error codes', 'close codes'],
};

type Cell = string | number | boolean;

/** A pipe would end the cell. Outside of code, `<` would begin an HTML tag, which is not displayed. */
const escapeCell = (cell: Cell) =>
  String(cell)
    .replaceAll('|', '\\|')
    .replaceAll('\n', ' ')
    .replace(/`[^`]*`|</g, (match) => (match === '<' ? '&lt;' : match));

function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const line = (cells: readonly Cell[]) => `| ${cells.map(escapeCell).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

/** The part of a setting that the document shows. */
interface SettingSpec {
  readonly desc?: string;
  readonly default?: unknown;
  readonly choices?: readonly unknown[];
}

function settings(all: object): string {
  const rows = Object.entries(all as Readonly<Record<string, SettingSpec>>).map(([name, spec]) => {
    const value = String(spec.default ?? '');
    const choices = spec.choices?.map((choice) => `\`${choice}\``).join(', ');
    return [
      `\`${name}\``,
      spec.default === undefined ? 'required' : value && `\`${value}\``,
      [spec.desc, choices && `One of ${choices}.`].filter(Boolean).join(' '),
    ];
  });
  return table(['setting', 'default', 'meaning'], rows);
}

function settingGroups(): string {
  return Object.entries(SETTING_GROUPS)
    .map(([title, group]) => `### ${title}\n\n${settings(group)}`)
    .join('\n\n');
}

function metrics(catalogue: Catalogue): string {
  const rows = Object.entries(catalogue).map(([name, definition]) => {
    const labels = Object.keys(definition.labels ?? {}).map((label) => `\`${label}\``);
    return [
      `\`${prometheusName(name, definition)}\``,
      definition.type,
      labels.join(', '),
      definition.help,
      definition.why,
    ];
  });
  return table(['metric', 'type', 'labels', 'meaning', 'use'], rows);
}

interface FieldSchema {
  readonly type?: string;
  readonly const?: string;
  readonly description?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly required?: readonly string[];
}

/** Type of a field and the limits that its schema sets. */
function typeOf({ type = 'any', minLength, maxLength, minimum, maximum, pattern }: FieldSchema): string {
  const parts = [type];
  if (maxLength !== undefined) parts.push(`${minLength ?? 0} to ${maxLength} characters`);
  if (maximum !== undefined) parts.push(`${minimum ?? 0} to ${maximum}`);
  if (pattern !== undefined) parts.push(`\`${pattern}\``);
  return parts.join(', ');
}

function fields(schema: FieldSchema, prefix = ''): Cell[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    if (field.const !== undefined) return [];
    const required = schema.required?.includes(name) ? 'yes' : 'no';
    const row = [`\`${prefix}${name}\``, typeOf(field), required, field.description ?? ''];
    return [row, ...fields(field, `${prefix}${name}.`)];
  });
}

function commands(): string {
  return Object.entries<FieldSchema>(COMMANDS)
    .map(([type, schema]) => {
      const rows = fields(schema);
      const body =
        rows.length === 0 ? 'No fields besides `type`.' : table(['field', 'type', 'required', 'meaning'], rows);
      return `#### \`${type}\`\n\n${schema.description}\n\n${body}`;
    })
    .join('\n\n');
}

function errorCodes(): string {
  const rows = Object.entries(ERROR_CODES).map(([code, info]) => [
    `\`${code}\``,
    info.httpStatus,
    info.temporary ? 'yes' : 'no',
    info.doc,
  ]);
  return table(['code', 'HTTP', 'retry', 'meaning'], rows);
}

function closeCodes(): string {
  const rows = Object.values(CLOSE_CODES).map((info) => [info.code, info.reconnect ? 'yes' : 'no', info.doc]);
  return table(['code', 'reconnect', 'meaning'], rows);
}

const PARTS: Readonly<Record<string, () => string>> = {
  settings: settingGroups,
  'settings of a probe': () => settings(PROBE_SETTINGS),
  metrics: () => metrics(METRICS),
  'metrics of a probe': () => metrics(PROBE_METRICS),
  commands,
  'error codes': errorCodes,
  'close codes': closeCodes,
};

/** Returns `text` with its generated parts rendered again. @throws Error when it does not have exactly the `expected` parts */
function fillParts(path: string, text: string, expected: readonly string[]): string {
  const found: string[] = [];
  const filled = text.replace(/<!-- generated: ([^>]+) -->[\s\S]*?<!-- end -->/g, (_match, name: string) => {
    found.push(name);
    return `<!-- generated: ${name} -->\n\n${PARTS[name]?.()}\n\n<!-- end -->`;
  });
  if (found.join() !== expected.join())
    throw new Error(
      `${path} must have the generated parts ${expected.join(', ')}; it has ${found.join(', ') || 'none'}`,
    );
  return filled;
}

/** Returns the text that each document should have, by path from the root. @throws Error when a marker is missing */
export async function renderDocs(): Promise<Map<string, string>> {
  const entries = Object.entries(DOCUMENTS).map(async ([path, parts]): Promise<[string, string]> => {
    return [path, fillParts(path, await readFile(join(ROOT, path), 'utf8'), parts)];
  });
  return new Map(await Promise.all(entries));
}

async function main({ check }: { check: boolean }): Promise<void> {
  for (const [path, content] of await renderDocs()) {
    if ((await readFile(join(ROOT, path), 'utf8')) === content) continue;
    if (check) {
      process.stderr.write(`${path} is not up to date; run: npm run docs\n`);
      process.exitCode = 1;
    } else {
      await writeFile(join(ROOT, path), content);
      process.stdout.write(`${relative(process.cwd(), join(ROOT, path))} updated.\n`);
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const program = new Command('docs').description('Writes the generated parts of the documents from the code.');
  await program
    .option('--check', 'change nothing; exit with 1 when a document is stale', false)
    .action(main)
    .parseAsync();
}
