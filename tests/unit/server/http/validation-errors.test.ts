/** The error of an invalid request names the wrong field. */
import { expect, test } from '@jest/globals';
import Fastify from 'fastify';
import { describeValidation } from '../../../../server/http/validation-errors.ts';
import { postMessageBody } from '../../../../server/protocol/schemas.ts';

test.each([
  [{ channel: 'a b', text: 'x' }, /^body\/channel must match pattern/],
  [{ text: 'x' }, /^body must have required property 'channel'$/],
  [{ channel: 'a', text: 'x', extra: 1 }, /^body must NOT have additional properties \("extra"\)$/],
  [{ channel: 'a' }, /^body must have exactly one of data, text$/],
  [{ channel: 'a', text: 'x', data: 1 }, /^body has fields that exclude each other/],
])('%j', async (payload, message) => {
  const app = Fastify({
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
    schemaErrorFormatter: (errors, part) => new Error(describeValidation(errors, part)),
  });
  app.post('/', { schema: { body: postMessageBody } }, () => 'ok');
  const { statusCode, body } = await app.inject({ method: 'POST', url: '/', payload });
  const { message: text } = JSON.parse(body) as { message: string };
  expect([statusCode, text]).toEqual([400, expect.stringMatching(message)]);
});
