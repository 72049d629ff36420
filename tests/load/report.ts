/** Prints the result of a benchmark, as a table or as JSON. */
import { cpus } from 'node:os';
import Table from 'cli-table3';

/** One line of the table. The name of a column ends in its unit: `p99_ms`. `met`: whether the target was reached. */
export interface Row {
  readonly [column: string]: string | number | boolean;
  readonly met: boolean;
}

export interface Report {
  readonly benchmark: string;
  readonly at: string;
  readonly cpus: string;
  /** Options of the command line. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly results: readonly Row[];
}

export function createReport(
  benchmark: string,
  options: Readonly<Record<string, unknown>>,
  results: readonly Row[],
): Report {
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim() || 'unknown'}`;
  return { benchmark, at: new Date().toISOString(), cpus: machine, options, results };
}

export function printReport(report: Report, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    return;
  }
  const columns = [...new Set(report.results.flatMap((row) => Object.keys(row)))].filter((column) => column !== 'met');
  const table = new Table({
    head: [...columns.map((column) => column.replaceAll('_', ' ')), ''],
    style: { head: [], border: [] },
  });
  for (const row of report.results)
    table.push([...columns.map((column) => format(row[column])), row.met ? 'met' : 'missed']);
  process.stdout.write(`${report.benchmark}, ${report.cpus}\n${table.toString()}\n`);
}

function format(value: string | number | boolean | undefined): string {
  if (typeof value !== 'number') return String(value ?? '');
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.abs(value) < 100 ? 1 : 0 });
}

/** Writes to stderr, so that stdout holds only the result. */
export function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
