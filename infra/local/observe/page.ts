/**
 * The page with the dashboards: an HTTP server on loopback, without a login, that serves the boards and the results of
 * their queries.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ALL_BOARDS } from '../../../dashboards/boards/index.ts';
import { type Panel, panelsOf } from '../../../dashboards/lib/panel.ts';
import { withoutVariables } from '../../../dashboards/lib/promql.ts';
import { ALERTS } from '../../../dashboards/rules/index.ts';
import type { PrometheusServer } from '../servers/prometheus.ts';

const PUBLIC = join(import.meta.dirname, 'public');
const RUNBOOKS = join(import.meta.dirname, '..', '..', '..', 'runbooks', 'alerts');
const ECHARTS = fileURLToPath(import.meta.resolve('echarts/dist/echarts.min.js'));

/** Range of rates: several scrapes, which come every second, and short enough to show the beginning of a fault. */
const RATE_INTERVAL = '10s';
const MINUTES_MAX = 60;
/** Points per line: about as many as a narrow chart can show. */
const POINTS = 150;

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
}

const json = (value: unknown): Answer => ({ status: 200, type: 'application/json', body: JSON.stringify(value) });
const file = (path: string, type: string): Answer => ({ status: 200, type, body: readFileSync(path) });
const NOT_FOUND: Answer = { status: 404, type: 'text/plain', body: 'There is no such page.' };

export class ObservePage {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(port: number, prometheus: PrometheusServer): Promise<ObservePage> {
    const server = createServer(async (request, response) => {
      const { status, type, body } = await answer(new URL(request.url ?? '/', 'http://localhost'), prometheus);
      response.writeHead(status, {
        'content-type': `${type}; charset=utf-8`,
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'",
        'x-content-type-options': 'nosniff',
      });
      response.end(body);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    return new ObservePage(server);
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

async function answer(url: URL, prometheus: PrometheusServer): Promise<Answer> {
  try {
    const runbook = /^\/runbooks\/alerts\/(\w+)\.md$/.exec(url.pathname)?.[1];
    if (runbook !== undefined)
      return runbook === 'README' || ALERTS.some(({ alert }) => alert === runbook)
        ? file(join(RUNBOOKS, `${runbook}.md`), 'text/plain')
        : NOT_FOUND;
    const route = ROUTES[url.pathname] ?? (url.pathname.startsWith('/d/holdfast-') ? ROUTES['/'] : undefined);
    return route ? await route(url, prometheus) : NOT_FOUND;
  } catch (error) {
    return { status: 502, type: 'text/plain', body: error instanceof Error ? error.message : String(error) };
  }
}

type Route = (url: URL, prometheus: PrometheusServer) => Answer | Promise<Answer>;

const ROUTES: Readonly<Record<string, Route>> = {
  '/': () => file(join(PUBLIC, 'index.html'), 'text/html'),
  '/page.js': () => file(join(PUBLIC, 'page.js'), 'text/javascript'),
  '/page.css': () => file(join(PUBLIC, 'page.css'), 'text/css'),
  '/echarts.js': () => file(ECHARTS, 'text/javascript'),
  '/api/boards': () => json(ALL_BOARDS),
  '/api/alerts': async (_, prometheus) => json(await prometheus.alerts()),
  '/api/panel': async ({ searchParams }, prometheus) => {
    const board = ALL_BOARDS.find(({ name }) => name === searchParams.get('board'));
    const panel = board && panelsOf(board).find(({ title }) => title === searchParams.get('panel'));
    const minutes = Math.min(MINUTES_MAX, Math.max(1, Number(searchParams.get('minutes')) || 5));
    return panel ? json(await seriesOf(panel, minutes, prometheus)) : NOT_FOUND;
  },
};

/** The series of a panel: name, labels and points `[Unix milliseconds, value]`, without NaN. */
async function seriesOf({ queries, kind }: Panel, minutes: number, prometheus: PrometheusServer) {
  const seconds = minutes * 60;
  const all = await Promise.all(
    queries.map(async ({ expr, legend }) => {
      const query = withoutVariables(expr, RATE_INTERVAL);
      const found =
        kind === 'table'
          ? await prometheus.query(query)
          : await prometheus.queryRange(query, seconds, Math.max(1, Math.round(seconds / POINTS)));
      return found.map(({ metric, values }) => ({
        name: legend.replace(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? ''),
        labels: metric,
        points: values
          .map(([time, value]) => [time * 1_000, Number(value)] as const)
          .filter(([, value]) => Number.isFinite(value)),
      }));
    }),
  );
  return all.flat();
}
