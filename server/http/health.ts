/**
 * The health routes. `/healthz` answers while the process is alive. `/readyz` fails only when this node is draining or
 * full. An unreachable Postgres or Redis must never fail either: the load balancer would then remove every node at once.
 */
import type { FastifyInstance } from 'fastify';
import { healthResponse, readyResponse } from './schemas.ts';

/** The content of `/readyz`, read for each request. */
export interface Readiness {
  readonly draining: boolean;
  readonly full: boolean;
  readonly connections: number;
  readonly postgres: 'ok' | 'unreachable';
  readonly redis: 'ok' | 'unreachable' | 'none';
}

export function addHealthRoutes(app: FastifyInstance, nodeId: string, readiness: () => Readiness): void {
  app.get('/healthz', { schema: { summary: 'Liveness', response: { 200: healthResponse } }, logLevel: 'warn' }, () => ({
    status: 'ok',
    node_id: nodeId,
    timestamp: new Date().toISOString(),
  }));

  const schema = { summary: 'Readiness', response: { 200: readyResponse, 503: readyResponse } };
  app.get('/readyz', { schema, logLevel: 'warn' }, (_request, reply) => {
    const { draining, full, connections, postgres, redis } = readiness();
    const ready = !draining && !full;
    return reply.code(ready ? 200 : 503).send({
      ready,
      node_id: nodeId,
      timestamp: new Date().toISOString(),
      draining,
      full,
      connections,
      dependencies: { postgres, redis },
    });
  });
}
