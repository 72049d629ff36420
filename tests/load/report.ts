/** Results of a benchmark: as JSON, or as a table to read. */
import { cpus } from 'node:os';
import Table from 'cli-table3';

/** One measured line. Rates per second, latencies in milliseconds. `target` as the requirement states it. */
export interface Result {
  readonly name: string;
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly count: number;
  readonly errors: number;
  readonly target: string;
  readonly met: boolean;
}

export interface Report {
  readonly benchmark: string;
  readonly at: string;
  readonly cpus: string;
  readonly seconds: number;
  readonly results: readonly Result[];
}

export function createReport(benchmark: string, seconds: number, results: readonly Result[]): Report {
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim() || 'unknown'}`;
  return { benchmark, at: new Date().toISOString(), cpus: machine, seconds, results };
}

export function printReport(report: Report, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    return;
  }
  const table = new Table({
    head: ['', 'per second', 'p50 ms', 'p99 ms', 'count', 'errors', 'target', ''],
    style: { head: [], border: [] },
  });
  for (const row of report.results) {
    const rate = Math.round(row.rate).toLocaleString('en-US');
    table.push([
      row.name,
      rate,
      row.p50Ms.toFixed(1),
      row.p99Ms.toFixed(1),
      row.count,
      row.errors,
      row.target,
      row.met ? 'met' : 'missed',
    ]);
  }
  process.stdout.write(`${report.benchmark}, ${report.cpus}, ${report.seconds} s each\n${table.toString()}\n`);
}

/** Progress on stderr, so that stdout stays the result alone. */
export function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
