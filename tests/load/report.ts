/** Results of a benchmark: as JSON, or as a table to read. */
import { cpus } from 'node:os';
import Table from 'cli-table3';

/** One line of a table. Names of columns end in their unit: `p99_ms`, `per_second`. `met`: whether the target is. */
export interface Row {
  readonly [column: string]: string | number | boolean;
  readonly met: boolean;
}

export interface Report {
  readonly benchmark: string;
  readonly at: string;
  readonly cpus: string;
  /** What was asked for on the command line. */
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

/** Progress on stderr, so that stdout stays the result alone. */
export function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
