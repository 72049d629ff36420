/** The routes of messages: publish one, read the history. Never writes to Postgres itself (`publish/`). */
import type { FastifyInstance } from 'fastify';
import type { FromSchema } from 'json-schema-to-ts';
import { type Authenticator, requirePublish, requireSubscribe } from '../auth/authenticator.ts';
import { AppError } from '../errors.ts';
import type { HistoryReader, Page } from '../history/types.ts';
import { encodeHistoryMessage } from '../protocol/codec.ts';
import { historyQuery, postMessageBody } from '../protocol/schemas.ts';
import type { Publisher } from '../publish/publisher.ts';
import { bearerToken } from './auth.ts';
import { errorResponse, historyResponse, postMessageResponse } from './schemas.ts';

export interface MessageRoutesOptions {
  readonly authenticator: Authenticator;
  readonly publisher: Publisher;
  readonly history: HistoryReader;
}

const security = [{ bearer: [] }];

export function addMessageRoutes(
  app: FastifyInstance,
  { authenticator, publisher, history }: MessageRoutesOptions,
): void {
  app.post<{ Body: FromSchema<typeof postMessageBody> }>(
    '/v1/chat.postMessage',
    {
      schema: {
        summary: 'Publish a message',
        description:
          'Answers after the Postgres commit. Retry a 5xx with the same client_msg_id: the message is stored once.',
        security,
        body: postMessageBody,
        response: { 200: postMessageResponse, default: errorResponse },
      },
    },
    async (request) => {
      const principal = await authenticator.authenticate('http', bearerToken(request));
      const { channel, data, text, client_msg_id: clientMsgId } = request.body;
      requirePublish(principal, channel);
      const traceparent = request.headers.traceparent;
      const { offset, epoch, id, duplicate } = await publisher.publish('http', principal.user, {
        channel,
        data: text === undefined ? data : { text },
        clientMsgId,
        traceparent: typeof traceparent === 'string' ? traceparent : undefined,
      });
      return { ok: true, channel, offset, epoch, id, duplicate };
    },
  );

  app.get<{ Querystring: FromSchema<typeof historyQuery> }>(
    '/v1/conversations.history',
    {
      schema: {
        summary: 'Read the history of a channel',
        description:
          'With `after`: the messages after that offset. With `before`: the newest before that offset. With neither: the newest. The token must permit subscribing.',
        security,
        querystring: historyQuery,
        response: { 200: historyResponse, default: errorResponse },
      },
      // The body is JSON text already, because messages are stored as JSON text.
      serializerCompiler: () => (body) => body as unknown as string,
    },
    async (request, reply) => {
      const principal = await authenticator.authenticate('http', bearerToken(request));
      const { channel, after, before, limit = 100 } = request.query;
      if (after !== undefined && before !== undefined)
        throw new AppError('bad_request', 'The query has both after and before; send one of them.');
      requireSubscribe(principal, channel);
      const forward = after !== undefined;
      const page = await history.read(
        channel,
        forward ? { after, limit } : { before: before ?? Number.MAX_SAFE_INTEGER, limit },
      );
      return reply.type('application/json; charset=utf-8').send(encodeHistory(channel, page, hasMore(page, forward)));
    },
  );
}

function hasMore(page: Page, forward: boolean): boolean {
  const edge = forward ? page.messages.at(-1) : page.messages[0];
  if (!edge) return false;
  // Offsets have no holes. Backwards, retention may have removed the rest; then one more request returns no messages.
  return forward ? edge.offset < page.top : edge.offset > 1;
}

function encodeHistory(channel: string, page: Page, more: boolean): string {
  const head = JSON.stringify({ ok: true, channel, epoch: page.epoch, top: page.top, has_more: more });
  const messages = page.messages.map((message) => encodeHistoryMessage(channel, message));
  return `${head.slice(0, -1)},"messages":[${messages.join(',')}]}`;
}
