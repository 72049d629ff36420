/** Which query parameters become numbers follows from the schema of the route. */
import { expect, test } from '@jest/globals';
import Fastify from 'fastify';
import { convertQueryIntegers } from '../../../../server/http/query-integers.ts';

const querystring = {
  type: 'object',
  properties: { name: { type: 'string' }, size: { type: 'integer', minimum: 0 } },
  additionalProperties: false,
};

async function ask(query: string) {
  const app = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false } } });
  convertQueryIntegers(app);
  app.get('/', { schema: { querystring } }, (request) => request.query);
  const { statusCode, body } = await app.inject(`/?${query}`);
  return { statusCode, body: JSON.parse(body) as unknown };
}

test('an integer of the schema becomes a number, text stays text', async () => {
  expect(await ask('name=10&size=10')).toEqual({ statusCode: 200, body: { name: '10', size: 10 } });
});

test.each(['size=', 'size=ten', 'size=1.5', 'size=-1', 'size=1e2', 'size=%201', 'size=1&size=2', 'other=1'])(
  '%s is refused',
  async (query) => {
    expect((await ask(query)).statusCode).toBe(400);
  },
);
