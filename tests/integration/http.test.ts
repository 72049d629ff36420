/** A6, A7, A22: the HTTP interface over real nodes, and its OpenAPI document against what they answer. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import type { Cluster } from '../../infra/local/cluster.ts';
import { post } from '../support/api.ts';
import { startTestCluster } from '../support/cluster.ts';

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

  const url = (index = 0) => cluster.nodes[index]?.url as string;

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

  test('text is short for data, and exactly one of them is needed', async () => {
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

  test('a bad request says which field is wrong', async () => {
    const cases: [string, RegExp][] = [
      ['{"channel":"a b","text":"x"}', /channel/],
      ['{"channel":"a","text":1}', /text/],
      ['{"channel":"a","text":"x","extra":1}', /additional properties/],
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
    expect(await get('/nowhere')).toMatchObject({ status: 404, body: { ok: false, error: { code: 'not_found' } } });
  });

  test('what would poison a prototype is data like any other', async () => {
    expect(
      (await send('{"channel":"room:proto","data":{"__proto__":{"polluted":true},"constructor":{"prototype":1}}}'))
        .status,
    ).toBe(200);
    const { body } = await get('/v1/conversations.history?channel=room:proto');
    expect(JSON.stringify(body)).toContain('"data":{"__proto__":{"polluted":true},"constructor":{"prototype":1}}');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('a retry with the same client_msg_id returns the first offset, through any node and after a restart', async () => {
    const message = { channel: 'room:retry', text: 'once', client_msg_id: 'k-1' };
    const first = await post(url(0), token, message);
    expect(first).toMatchObject({ offset: 1, duplicate: false });
    expect(await post(url(1), token, message)).toMatchObject({ offset: 1, id: first.id, duplicate: true });
    await cluster.nodes[0]?.restart();
    expect(await post(url(0), token, message)).toMatchObject({ offset: 1, id: first.id, duplicate: true });
    const other = await cluster.token({ user: 'ben' });
    expect(await post(url(0), other, message)).toMatchObject({ offset: 2, duplicate: false });
    expect(await post(url(0), token, { ...message, channel: 'room:retry2' })).toMatchObject({
      offset: 1,
      duplicate: false,
    });
  });

  test('history pages forward with after, backward with before, and gives the newest without either', async () => {
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
    ]) {
      expect([bad, (await get(`/v1/conversations.history?channel=room:pages${bad}`)).status]).toEqual([bad, 400]);
    }
  });

  test('pages of other origins may call when they are listed', async () => {
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
    expect(await preflight('https://evil.example')).not.toBe('https://evil.example');
  });

  test('the OpenAPI document describes every route, and the real answers fit it', async () => {
    type Operation = { responses: Record<string, { content: { 'application/json': { schema: object } } }> };
    const document = (await (await fetch(`${url()}/openapi.json`)).json()) as {
      openapi: string;
      paths: Record<string, Record<string, Operation>>;
    };
    expect(document.openapi).toBe('3.1.0');
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(routes.sort()).toEqual([
      'get /healthz',
      'get /readyz',
      'get /v1/conversations.history',
      'post /auth/ticket',
      'post /v1/chat.postMessage',
    ]);
    const ajv = new Ajv({ strict: false, validateFormats: false });
    const authorization = `Bearer ${token}`;
    const json = { authorization, 'content-type': 'application/json' };
    const calls: [string, string, RequestInit, number][] = [
      ['get', '/healthz', {}, 200],
      ['get', '/readyz', {}, 200],
      ['get', '/v1/conversations.history?channel=room:pages', { headers: { authorization } }, 200],
      ['get', '/v1/conversations.history?channel=', { headers: { authorization } }, 400],
      ['post', '/auth/ticket', { headers: { authorization } }, 200],
      ['post', '/auth/ticket', {}, 401],
      ['post', '/v1/chat.postMessage', { headers: json, body: '{"channel":"room:api","text":"x"}' }, 200],
      ['post', '/v1/chat.postMessage', { headers: json, body: '{}' }, 400],
    ];
    for (const [method, path, init, status] of calls) {
      const response = await fetch(url() + path, { ...init, method });
      expect([path, response.status]).toEqual([path, status]);
      const responses = document.paths[path.split('?')[0] as string]?.[method]?.responses ?? {};
      const schema = (responses[String(status)] ?? responses.default)?.content['application/json'].schema ?? false;
      const validate = ajv.compile(schema);
      const body: unknown = await response.json();
      expect([path, validate(body), validate.errors]).toEqual([path, true, null]);
    }
  });
});
