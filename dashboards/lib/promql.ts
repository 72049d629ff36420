/**
 * Reads PromQL with the grammar of Prometheus: lists the metrics of an expression, and compresses its durations. Pure.
 */
import { parser } from '@prometheus-io/lezer-promql';

/** Replaces the variables of Grafana with values, because the PromQL grammar does not know them. */
export function withoutVariables(expr: string, range = '1m'): string {
  return expr.replaceAll('$__rate_interval', range).replaceAll('$__range', range).replaceAll('$node', '.+');
}

/** Visits every syntax node. @throws Error when `expr` is not valid PromQL */
function walk(expr: string, visit: (node: string, text: string, from: number, to: number) => void): void {
  parser.parse(expr).iterate({
    enter(node) {
      if (node.type.isError) throw new Error(`Invalid PromQL at character ${node.from}: ${expr}`);
      visit(node.name, expr.slice(node.from, node.to), node.from, node.to);
    },
  });
}

/** Distinct names of all metrics. @throws Error when `expr` is not valid PromQL */
export function metricsIn(expr: string): string[] {
  const names = new Set<string>();
  let inSelector = false;
  walk(withoutVariables(expr), (node, text) => {
    if (node === 'VectorSelector') inSelector = true;
    else if (node === 'Identifier' && inSelector) {
      names.add(text);
      inSelector = false;
    }
  });
  return [...names];
}

const SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

/** `1h30m` -> 5400. @throws Error when `duration` is not a sequence of whole numbers with units */
export function secondsOf(duration: string): number {
  const parts = [...duration.matchAll(/(\d+)(ms|[smhdw])/g)];
  if (parts.map(([part]) => part).join('') !== duration || parts.length === 0)
    throw new Error(`Invalid duration: ${duration}`);
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (SECONDS[unit as string] as number), 0);
}

/** The duration divided by `factor`, rounded to milliseconds, at least 1 ms. */
export function compressDuration(duration: string, factor: number): string {
  return `${Math.max(1, Math.round((secondsOf(duration) / factor) * 1_000))}ms`;
}

/** The expression with all durations divided by `factor`: ranges, offsets, subqueries. @throws Error when `expr` is not valid PromQL */
export function compress(expr: string, factor: number): string {
  const found: { from: number; to: number; text: string }[] = [];
  walk(expr, (node, text, from, to) => {
    if (node === 'NumberDurationLiteralInDurationContext') found.push({ from, to, text });
  });
  return found.reduceRight(
    (whole, { from, to, text }) => whole.slice(0, from) + compressDuration(text, factor) + whole.slice(to),
    expr,
  );
}
