/** The HTTP interface of real nodes, and their answers against its OpenAPI document. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { post } from '../../support/api.ts';
import { startTestCluster } from '../../support/cluster.ts';
import { RawClient } from '../../support/raw-client.ts';

interface Operation {
  readonly responses: Record<string, { content: { 'application/json': { schema: object } } }>;
  readonly security?: object[];
  readonly parameters?: { name: string; required?: boolean }[];
  readonly requestBody?: { content: { 'application/json': { schema: { properties: object } } } };
}

interface OpenApi {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
}

/** The same schema without undocumented fields, so that a new field of an answer must be documented. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const parts = Object.entries(schema).map(([key, value]) => [key, closed(value)] as const);
  return { ...Object.fromEntries(parts), ...('properties' in schema && { additionalProperties: false }) };
}

describe('HTTP', () => {
  let cluster: Cluster;
  let token: string;

  beforeAll(async () => {
    cluster = await startTestCluster({
      nodes: 2,
      redis: false,
      env: { ALLOWED_ORIGINS: 'https://app.example', LOG_LEVEL: 'error' },
    });
    token = await cluster.token({ user: 'ada' });
  });
  afterAll(() => cluster?.stop());

  const url = (index = 0) => cluster.node(index).url;

  async function get(path: string, bearer = token): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(url() + path, { headers: { authorization: `Bearer ${bearer}` } });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  async function send(body: string, headers: Record<string, string> = {}) {
    const response = await fetch(`${url()}/v1/chat.postMessage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      body,
    });
    return { status: response.status, body: (await response.json()) as { error?: { code: string; message: string } } };
  }

  const offsetsOf = (body: Record<string, unknown>) =>
    (body.messages as { offset: number }[]).map((message) => message.offset);

  test('text is a short form of data, and exactly one of them is required', async () => {
    expect(await post(url(), token, { channel: 'room:post', text: 'hi' })).toMatchObject({
      status: 200,
      ok: true,
      offset: 1,
      duplicate: false,
    });
    expect(await post(url(), token, { channel: 'room:post', data: null })).toMatchObject({ status: 200, offset: 2 });
    const { body } = await get('/v1/conversations.history?channel=room:post&after=0');
    expect((body.messages as { data: unknown }[]).map((message) => message.data)).toEqual([{ text: 'hi' }, null]);
    expect((await post(url(), token, { channel: 'room:post' })).status).toBe(400);
    expect((await post(url(), token, { channel: 'room:post', text: 'a', data: 1 })).status).toBe(400);
  });

  test('the error of a bad request names the wrong field', async () => {
    const cases: [string, RegExp][] = [
      ['{"channel":"a b","text":"x"}', /channel/],
      ['{"channel":"a","text":1}', /text/],
      ['{"channel":"a","text":"x","extra":1}', /additional properties \("extra"\)/],
      ['{"channel":"a"}', /exactly one of data, text/],
      [`{"channel":"a","text":"x","client_msg_id":"${'k'.repeat(129)}"}`, /client_msg_id/],
      ['{"channel":', /JSON/i],
      ['', /./],
    ];
    for (const [body, message] of cases) {
      const answer = await send(body);
      expect([body, answer.status, answer.body.error?.code]).toEqual([body, 400, 'bad_request']);
      expect(answer.body.error?.message).toMatch(message);
    }
    expect((await send('x', { 'content-type': 'text/plain' })).status).toBe(400);
  });

  test('every error has the same format, also when no route matches', async () => {
    const cases: [string, string, number, string][] = [
      ['GET', '/nowhere', 404, 'not_found'],
      ['GET', '/v1/chat.postMessage', 404, 'not_found'],
      ['PUT', '/healthz', 404, 'not_found'],
      ['GET', '/ws', 404, 'not_found'],
      ['GET', '/%zz', 400, 'bad_request'],
      ['GET', '/v1/conversations.history?channel=a&channel=b', 400, 'bad_request'],
      ['POST', '/v1/chat.postMessage', 400, 'bad_request'],
    ];
    for (const [method, path, status, code] of cases) {
      const response = await fetch(url() + path, { method, headers: { authorization: `Bearer ${token}` } });
      const body: unknown = await response.json();
      expect([path, response.status, body]).toEqual([
        path,
        status,
        { ok: false, error: { code, message: expect.any(String) } },
      ]);
      expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    }
  });

  test('data that is nested 30,000 deep is answered, and the node stays alive', async () => {
    const answer = await send(`{"channel":"room:deep","data":${'['.repeat(30_000)}${']'.repeat(30_000)}}`);
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'bad_request' } } });
    expect((await post(url(), token, { channel: 'room:deep', text: 'x' })).status).toBe(200);
  });

  test('__proto__ and constructor are ordinary data', async () => {
    expect(
      (await send('{"channel":"room:proto","data":{"__proto__":{"polluted":true},"constructor":{"prototype":1}}}'))
        .status,
    ).toBe(200);
    const { body } = await get('/v1/conversations.history?channel=room:proto');
    expect(JSON.stringify(body)).toContain('"data":{"__proto__":{"polluted":true},"constructor":{"prototype":1}}');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('a retry with the same client_msg_id returns the first offset, on any node and after a restart', async () => {
    const message = { channel: 'room:retry', text: 'once', client_msg_id: 'k-1' };
    const first = await post(url(0), token, message);
    expect(first).toMatchObject({ offset: 1, duplicate: false });
    expect(await post(url(1), token, message)).toMatchObject({ offset: 1, id: first.id, duplicate: true });
    await cluster.node(0).restart();
    expect(await post(url(0), token, message)).toMatchObject({ offset: 1, id: first.id, duplicate: true });
    const other = await cluster.token({ user: 'ben' });
    expect(await post(url(0), other, message)).toMatchObject({ offset: 2, duplicate: false });
    expect(await post(url(0), token, { ...message, channel: 'room:retry2' })).toMatchObject({
      offset: 1,
      duplicate: false,
    });
    const client = await RawClient.open(cluster.node(1).wsUrl, token);
    client.send({ type: 'publish', id: 'p', channel: 'room:retry', data: 'another', client_msg_id: 'k-1' });
    expect(await client.next('ack')).toMatchObject({ offset: 1, duplicate: true });
    client.close();
    const { body } = await get('/v1/conversations.history?channel=room:retry');
    expect((body.messages as { data: unknown }[]).map((stored) => stored.data)).toEqual([
      { text: 'once' },
      { text: 'once' },
    ]);
  });

  test('the same client_msg_id sent to both nodes at the same time is stored once', async () => {
    const tries = Array.from({ length: 20 }, (_, i) =>
      post(url(i % 2), token, { channel: 'room:race', data: i, client_msg_id: 'k-race' }),
    );
    const answers = await Promise.all(tries);
    expect(answers.map((answer) => [answer.status, answer.offset])).toEqual(Array(20).fill([200, 1]));
    expect(new Set(answers.map((answer) => answer.id)).size).toBe(1);
    expect(answers.filter((answer) => !answer.duplicate)).toHaveLength(1);
    expect((await get('/v1/conversations.history?channel=room:race')).body).toMatchObject({ top: 1 });
  });

  test('the history pages forward with after, backward with before, and returns the newest without either', async () => {
    for (let i = 1; i <= 10; i++) await post(url(), token, { channel: 'room:pages', data: i });
    const page = async (query: string) => {
      const { body } = await get(`/v1/conversations.history?channel=room:pages${query}`);
      return [offsetsOf(body), body.has_more, body.top];
    };
    expect(await page('&after=0&limit=4')).toEqual([[1, 2, 3, 4], true, 10]);
    expect(await page('&after=8&limit=4')).toEqual([[9, 10], false, 10]);
    expect(await page('&after=10')).toEqual([[], false, 10]);
    expect(await page('&limit=3')).toEqual([[8, 9, 10], true, 10]);
    expect(await page('&before=8&limit=3')).toEqual([[5, 6, 7], true, 10]);
    expect(await page('&before=3')).toEqual([[1, 2], false, 10]);
    expect(await page('&after=99')).toEqual([[], false, 10]);
    expect(await page('&before=99&limit=1000')).toEqual([[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], false, 10]);
    expect(await page('&before=1')).toEqual([[], false, 10]);
    expect(await page('&before=0')).toEqual([[], false, 10]);
    expect(await page(`&after=${Number.MAX_SAFE_INTEGER}`)).toEqual([[], false, 10]);
    expect((await get('/v1/conversations.history?channel=room:unknown')).body).toMatchObject({
      top: 0,
      messages: [],
      has_more: false,
    });
    for (const bad of [
      '&limit=0',
      '&limit=1001',
      '&limit=ten',
      '&after=-1',
      '&after=1&before=2',
      '&after=1.5',
      '&other=1',
      '&limit=',
      '&limit=1e2',
      '&after=1&after=2',
      '&after=9007199254740993',
      '&before=99999999999999999999',
    ]) {
      expect([bad, (await get(`/v1/conversations.history?channel=room:pages${bad}`)).status]).toEqual([bad, 400]);
    }
    expect((await get('/v1/conversations.history')).status).toBe(400);
  });

  test('only users who may subscribe may read the history', async () => {
    await post(url(), token, { channel: 'room:mine', text: 'secret' });
    const readAs = async (bearer: string) => get('/v1/conversations.history?channel=room:mine', bearer);
    const reader = await cluster.token({ user: 'ben', subscribe: ['room:mine'], publish: [] });
    const writer = await cluster.token({ user: 'ben', subscribe: ['room:other'], publish: ['room:mine'] });
    const expired = await cluster.token({ user: 'ben', ttlSeconds: -60 });
    expect((await readAs(reader)).status).toBe(200);
    expect(await readAs(writer)).toMatchObject({ status: 403, body: { error: { code: 'forbidden' } } });
    expect(await readAs(expired)).toMatchObject({ status: 401, body: { error: { code: 'unauthenticated' } } });
    expect((await readAs('nonsense')).status).toBe(401);
    expect((await fetch(`${url()}/v1/conversations.history?channel=room:mine`)).status).toBe(401);
    expect((await post(url(), reader, { channel: 'room:mine', text: 'x' })).status).toBe(403);
  });

  test('pages of other origins may send requests only if ALLOWED_ORIGINS lists the origin', async () => {
    const preflight = async (origin: string) => {
      const headers = {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      };
      return (await fetch(`${url()}/auth/ticket`, { method: 'OPTIONS', headers })).headers.get(
        'access-control-allow-origin',
      );
    };
    expect(await preflight('https://app.example')).toBe('https://app.example');
    const answer = async (origin: string) =>
      (await fetch(`${url()}/healthz`, { headers: { origin } })).headers.get('access-control-allow-origin');
    expect(await answer('https://app.example')).toBe('https://app.example');
    for (const origin of ['https://evil.example', 'https://app.example.evil', 'http://app.example', 'null']) {
      expect([origin, await preflight(origin), await answer(origin)]).toEqual([origin, null, null]);
    }
  });

  const fetchDocument = async () => (await (await fetch(`${url()}/openapi.json`)).json()) as OpenApi;

  test('the OpenAPI document describes the parameters of every route, and whether it needs a token', async () => {
    const { openapi, paths } = await fetchDocument();
    expect(openapi).toBe('3.1.0');
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { security }]) => [method, path, security !== undefined]),
    );
    expect(routes.sort()).toEqual([
      ['get', '/healthz', false],
      ['get', '/readyz', false],
      ['get', '/v1/conversations.history', true],
      ['post', '/auth/ticket', true],
      ['post', '/v1/chat.postMessage', true],
    ]);
    const parameters = paths['/v1/conversations.history']?.get?.parameters ?? [];
    expect(parameters.map(({ name, required }) => [name, required === true])).toEqual([
      ['channel', true],
      ['after', false],
      ['before', false],
      ['limit', false],
    ]);
    const body = paths['/v1/chat.postMessage']?.post?.requestBody?.content['application/json'].schema;
    expect(Object.keys(body?.properties ?? {})).toEqual(['channel', 'data', 'text', 'client_msg_id']);
  });

  test('real answers match the OpenAPI document and have no further fields', async () => {
    const { paths } = await fetchDocument();
    const ajv = new Ajv({ strict: false, validateFormats: false });
    const authorization = `Bearer ${token}`;
    const json = { authorization, 'content-type': 'application/json' };
    const calls: [string, string, RequestInit, number][] = [
      ['get', '/healthz', {}, 200],
      ['get', '/readyz', {}, 200],
      ['post', '/v1/chat.postMessage', { headers: json, body: '{"channel":"room:api","text":"x"}' }, 200],
      ['get', '/v1/conversations.history?channel=room:api', { headers: { authorization } }, 200],
      ['get', '/v1/conversations.history?channel=', { headers: { authorization } }, 400],
      ['post', '/auth/ticket', { headers: { authorization } }, 200],
      ['post', '/auth/ticket', {}, 401],
      ['post', '/v1/chat.postMessage', { headers: json, body: '{}' }, 400],
      ['post', '/v1/chat.postMessage', { headers: json, body: `{"channel":"a","text":"${'x'.repeat(70_000)}"}` }, 413],
    ];
    for (const [method, path, init, status] of calls) {
      const response = await fetch(url() + path, { ...init, method });
      expect([path, response.status]).toEqual([path, status]);
      const responses = paths[path.split('?')[0] as string]?.[method]?.responses ?? {};
      const schema = (responses[String(status)] ?? responses.default)?.content['application/json'].schema ?? false;
      const validate = ajv.compile(closed(schema) as object | boolean);
      const answer: unknown = await response.json();
      expect([path, validate(answer), validate.errors]).toEqual([path, true, null]);
    }
  });
});
