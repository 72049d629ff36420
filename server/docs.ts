/**
 * `npm run docs`: brings the generated parts of the documents up to date with the code, `--check` only says whether they are.
 * A generated part stands between `<!-- generated: name -->` and `<!-- end -->`; everything else is written by hand.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { SETTINGS } from './config.ts';
import { CLOSE_CODES, ERROR_CODES } from './protocol/codes.ts';
import { COMMANDS } from './protocol/schemas.ts';
import { METRICS, type MetricDefinition } from './telemetry/catalogue.ts';

const ROOT = join(import.meta.dirname, '..');
const DOCUMENTS = ['server/README.md', 'server/PROTOCOL.md'];

type Cell = string | number | boolean;

const escapeCell = (cell: Cell) => String(cell).replaceAll('|', '\\|').replaceAll('\n', ' ');

function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const line = (cells: readonly Cell[]) => `| ${cells.map(escapeCell).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

function settings(): string {
  const rows = Object.entries(SETTINGS as Record<string, { desc?: string; default?: unknown }>).map(([name, spec]) => {
    const value = Array.isArray(spec.default) ? spec.default.join(',') : spec.default;
    return [
      `\`${name}\``,
      value === undefined ? 'required' : value === '' ? '' : `\`${String(value)}\``,
      spec.desc ?? '',
    ];
  });
  return table(['setting', 'default', 'what it is'], rows);
}

/** The name under which Prometheus sees a metric. */
function prometheusName(name: string, definition: MetricDefinition): string {
  return name.replaceAll('.', '_') + (definition.type === 'counter' ? '_total' : '');
}

function metrics(): string {
  const rows = Object.entries<MetricDefinition>(METRICS).map(([name, definition]) => {
    const labels = Object.keys(definition.labels ?? {}).map((label) => `\`${label}\``);
    return [`\`${prometheusName(name, definition)}\``, definition.type, labels.join(', '), definition.help];
  });
  return table(['metric', 'type', 'labels', 'what it counts'], rows);
}

interface FieldSchema {
  readonly type?: string;
  readonly const?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly required?: readonly string[];
}

function fields(schema: FieldSchema, prefix = ''): Cell[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    if (field.const !== undefined) return [];
    const needed = schema.required?.includes(name) ? 'required' : 'optional';
    const row = [`\`${prefix}${name}\``, field.type ?? 'any', needed, field.description ?? ''];
    return [row, ...fields(field, `${prefix}${name}.`)];
  });
}

function commands(): string {
  return Object.entries<FieldSchema>(COMMANDS)
    .map(([type, schema]) => {
      const rows = fields(schema);
      const body = rows.length === 0 ? 'No fields besides `type`.' : table(['field', 'type', '', 'meaning'], rows);
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
  settings,
  metrics,
  commands,
  'error codes': errorCodes,
  'close codes': closeCodes,
};

/** `text` with its generated parts made anew. @throws Error for a part that nobody generates */
export function fillParts(text: string): string {
  return text.replace(/<!-- generated: ([^>]+) -->[\s\S]*?<!-- end -->/g, (_match, name: string) => {
    const part = PARTS[name];
    if (!part) throw new Error(`nothing generates "${name}"; known are ${Object.keys(PARTS).join(', ')}`);
    return `<!-- generated: ${name} -->\n\n${part()}\n\n<!-- end -->`;
  });
}

/** Paths of the documents, from the root, with what they should contain. */
export async function renderDocs(): Promise<Map<string, string>> {
  const entries = DOCUMENTS.map(async (path) => [path, fillParts(await readFile(join(ROOT, path), 'utf8'))] as const);
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
      process.stdout.write(`${relative(process.cwd(), join(ROOT, path))} is up to date again.\n`);
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const program = new Command('docs').description('Brings the generated parts of the documents up to date.');
  await program
    .option('--check', 'change nothing; exit code 1 when something is stale', false)
    .action(main)
    .parseAsync();
}
