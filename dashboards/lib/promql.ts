/**
 * What a PromQL expression names, and the same expression with time compressed, by Prometheus' own grammar. Pure.
 */
import { parser } from '@prometheus-io/lezer-promql';

/** Grafana's variables as what they would be: the grammar does not know them. */
export function withoutVariables(expr: string, range = '1m'): string {
  return expr.replaceAll('$__rate_interval', range).replaceAll('$__range', range).replaceAll('$node', '.+');
}

/** @throws Error when it is no PromQL */
function walk(expr: string, visit: (node: string, text: string, from: number, to: number) => void): void {
  parser.parse(expr).iterate({
    enter(node) {
      if (node.type.isError) throw new Error(`No PromQL at character ${node.from}: ${expr}`);
      visit(node.name, expr.slice(node.from, node.to), node.from, node.to);
    },
  });
}

/** Names of all metrics, without repetition. @throws Error when it is no PromQL */
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

/** `5m` -> 300. @throws Error for anything else than numbers with units */
export function secondsOf(duration: string): number {
  const parts = [...duration.matchAll(/(\d+)(ms|[smhdw])/g)];
  if (parts.map(([part]) => part).join('') !== duration || parts.length === 0)
    throw new Error(`No duration: ${duration}`);
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (SECONDS[unit as string] as number), 0);
}

/** The duration in a `factor`th of the time, to the millisecond. */
export function compressDuration(duration: string, factor: number): string {
  return `${Math.max(1, Math.round((secondsOf(duration) / factor) * 1_000))}ms`;
}

/** The expression with all of its durations compressed: ranges, offsets, subqueries. @throws Error when it is no PromQL */
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
