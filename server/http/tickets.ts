/** The route that issues tickets. */
import type { FastifyInstance } from 'fastify';
import type { Authenticator } from '../auth/authenticator.ts';
import { bearerToken } from './auth.ts';
import { errorResponse, ticketResponse } from './schemas.ts';

export function addTicketRoute(app: FastifyInstance, authenticator: Authenticator): void {
  app.post(
    '/auth/ticket',
    {
      schema: {
        summary: 'Get a ticket',
        description: 'A single-use credential that opens one WebSocket within ten seconds: /ws?ticket=…',
        security: [{ bearer: [] }],
        response: { 200: ticketResponse, default: errorResponse },
      },
    },
    async (request) => {
      const { ticket, expiresInMs } = await authenticator.issueTicket(bearerToken(request));
      return { ok: true, ticket, expires_in_ms: expiresInMs };
    },
  );
}
