/**
 * The text that `npm start` prints about a running cluster: addresses, a demo token, how to publish and how to stop.
 * Pure.
 */
import { relative } from 'node:path';
import type { Cluster } from '../servers/cluster.ts';

export interface ReportOptions {
  readonly cluster: Cluster;
  /** Tokens of the two users of the demo page. Undefined when an issuer signs tokens (AUTH_JWKS_URL). */
  readonly tokens: readonly [string, string] | undefined;
  readonly redisUrl: string;
  readonly logDirectory: string;
  /** What is missing, and the consequence, one sentence each. */
  readonly notes: readonly string[];
}

/** The complete text, without a trailing newline. */
export function report({ cluster, tokens, redisUrl, logDirectory, notes }: ReportOptions): string {
  const parts = [
    'Holdfast is running.',
    table(rows(cluster, redisUrl)),
    ...notes.map((note) => `  ! ${note}`),
    tokens === undefined ? `  Demo page  ${cluster.url}/ (needs a token of your issuer)` : usage(cluster, tokens),
    `  Logs       ${shortPath(logDirectory)}/\n  Stop       Ctrl-C`,
  ];
  return parts.join('\n\n');
}

/** Address of the demo page. Without a balancer, it names one node for each pane. */
export function demoUrl(cluster: Cluster, [first, second]: readonly [string, string]): string {
  const [a, b] = cluster.nodes;
  const direct =
    cluster.nginx === null && a && b ? `&a=${encodeURIComponent(a.url)}&b=${encodeURIComponent(b.url)}` : '';
  return `${cluster.url}/#token=${first}&token_b=${second}${direct}`;
}

function usage(cluster: Cluster, tokens: readonly [string, string]): string {
  return `  Demo page  ${demoUrl(cluster, tokens)}

  Publish    curl -sS ${cluster.url}/v1/chat.postMessage -H 'Content-Type: application/json' \\
               -H 'Authorization: Bearer ${tokens[0]}' \\
               -d '{"channel":"room:42","text":"hello"}'

  Tokens     npm run --silent token -- --user ada --subscribe 'room:*' --publish 'room:*'`;
}

function rows(cluster: Cluster, redisUrl: string): string[][] {
  const { nginx, nodes, redis, postgres } = cluster;
  return [
    ...(nginx ? [['balancer', `pid ${nginx.process.pid}`, cluster.url, `WebSocket ${cluster.wsUrl}`]] : []),
    ...nodes.map((node) => [node.name, `pid ${node.process.pid}`, node.url, `metrics ${node.metricsUrl}`]),
    ...(redis
      ? [['redis', `pid ${redis.process.pid}`, redis.url, '']]
      : redisUrl
        ? [['redis', 'yours', withoutCredentials(redisUrl), '']]
        : []),
    postgres
      ? [
          'postgres',
          `pid ${postgres.process.pid}`,
          withoutCredentials(postgres.url),
          `data ${shortPath(postgres.dataDirectory)}`,
        ]
      : ['postgres', 'yours', withoutCredentials(cluster.databaseUrl), ''],
  ];
}

function table(lines: readonly string[][]): string {
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map((line) => `  ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}

/** Removes credentials: terminals are shared and recorded. */
export function withoutCredentials(text: string): string {
  if (!URL.canParse(text)) return '(set)';
  const url = new URL(text);
  return `${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}`;
}

function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short === '' || short.startsWith('..') ? path : short;
}
