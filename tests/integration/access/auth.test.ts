/** Authentication by ticket, first message and query: valid credentials are accepted, all others are refused. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { deriveTicketSecret } from '../../../server/auth/tickets.ts';
import { metric, post } from '../../support/api.ts';
import { startTestCluster } from '../../support/cluster.ts';
import { RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually } from '../../support/wait.ts';

const seconds = () => Math.floor(Date.now() / 1000);

function sign(claims: JWTPayload, secret: string, header = {}): Promise<string> {
  const payload = {
    sub: 'ada',
    aud: 'holdfast',
    exp: seconds() + 60,
    channels: { subscribe: ['*'], publish: ['*'] },
    ...claims,
  };
  return new SignJWT(payload).setProtectedHeader({ alg: 'HS256', ...header }).sign(new TextEncoder().encode(secret));
}

describeWith('redis')('authentication', () => {
  let cluster: Cluster;
  let token: string;

  beforeAll(async () => {
    cluster = await startTestCluster({
      nodes: 2,
      env: { AUTH_AUDIENCE: 'holdfast', AUTH_TIMEOUT_MS: '2000', LOG_LEVEL: 'error' },
    });
    token = await sign({}, cluster.secret);
  });
  afterAll(() => cluster?.stop());

  const node = (index: number) => cluster.node(index);

  async function fetchTicket(bearer = token, url = node(0).url): Promise<{ status: number; ticket: string }> {
    const response = await fetch(`${url}/auth/ticket`, {
      method: 'POST',
      headers: { authorization: `Bearer ${bearer}` },
    });
    return { status: response.status, ticket: ((await response.json()) as { ticket?: string }).ticket ?? '' };
  }

  const withTicket = (ticket: string, index = 0) => new RawClient(node(index).wsUrl, { query: `?ticket=${ticket}` });

  async function withToken(bearer: string): Promise<RawClient> {
    const client = new RawClient(node(0).wsUrl);
    await eventually(() => expect(client.ws.readyState).toBe(client.ws.OPEN));
    client.send({ type: 'auth', token: bearer });
    return client;
  }

  test('a ticket opens one connection, on any node, and no second one on any node', async () => {
    const { ticket } = await fetchTicket();
    const first = withTicket(ticket, 1);
    expect(await first.next('welcome')).toMatchObject({ user: 'ada', node_id: 'node-2' });
    for (const index of [0, 1]) expect(await withTicket(ticket, index).closeCode()).toBe(1008);
    expect(
      await metric(node(0).metricsUrl, 'holdfast_authentications_total', { method: 'ticket', result: 'replayed' }),
    ).toBe(1);
    first.close();
  });

  test('forged and expired tickets, and a token in place of a ticket, are closed with 1008', async () => {
    const key = deriveTicketSecret(cluster.secret);
    const claims = { jti: 'x', session_exp: Date.now() + 60_000 };
    const good = await sign(claims, key, { typ: 'ticket' });
    const client = withTicket(good);
    await client.next('welcome');
    client.close();
    const bad = {
      'of another key': await sign({ ...claims, jti: 'a' }, 'another secret of more than 32 bytes!', { typ: 'ticket' }),
      expired: await sign({ ...claims, jti: 'b', exp: seconds() - 1 }, key, { typ: 'ticket' }),
      'of another kind': await sign({ ...claims, jti: 'c' }, key),
      'a token': token,
      nonsense: 'nonsense',
      empty: '',
    };
    for (const [what, ticket] of Object.entries(bad))
      expect([what, await withTicket(ticket).closeCode()]).toEqual([what, 1008]);
  });

  test('tokens that are expired, for another audience, unsigned, of another key or without a user get 401 and 1008', async () => {
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${token.split('.')[1]}.`;
    const bad = {
      expired: await sign({ exp: seconds() - 60 }, cluster.secret),
      audience: await sign({ aud: 'other' }, cluster.secret),
      unsigned,
      key: await sign({}, 'another secret of more than 32 bytes!'),
      user: await sign({ sub: '' }, cluster.secret),
      channels: await sign({ channels: ['*'] }, cluster.secret),
      ticket: (await fetchTicket()).ticket,
    };
    for (const [what, bearer] of Object.entries(bad)) {
      expect([what, (await fetchTicket(bearer)).status]).toEqual([what, 401]);
      expect([what, (await post(node(0).url, bearer, { channel: 'room:1', text: 'x' })).status]).toEqual([what, 401]);
      expect([what, await (await withToken(bearer)).closeCode()]).toEqual([what, 1008]);
    }
    const silent = await fetch(`${node(0).url}/v1/conversations.history?channel=room:1`);
    expect(silent.status).toBe(401);
  });

  test('without a ticket the first command must be auth, within the time limit', async () => {
    const late = new RawClient(node(0).wsUrl);
    expect(await late.closeCode()).toBe(1008);
    const other = new RawClient(node(0).wsUrl);
    await eventually(() => expect(other.ws.readyState).toBe(other.ws.OPEN));
    other.send({ type: 'subscribe', id: 's', channel: 'room:1' });
    expect(await other.next('error')).toMatchObject({ id: 's', code: 'unauthenticated' });
    expect(await other.closeCode()).toBe(1008);
  });

  test('commands sent right behind auth are executed after authentication', async () => {
    const client = await withToken(token);
    client.send({ type: 'subscribe', id: 's', channel: 'room:behind' });
    client.send({ type: 'publish', id: 'p', channel: 'room:behind', data: 1 });
    await client.next('ack');
    await client.next('message');
    expect(client.pushes.map((push) => push.type).slice(0, 2)).toEqual(['welcome', 'subscribed']);
    client.send({ type: 'auth', token });
    expect(await client.next('error')).toMatchObject({ code: 'bad_request' });
    expect(client.closed).toBeUndefined();
    client.close();
  });

  test('subscribing, publishing and reading are forbidden on channels that the claims do not permit', async () => {
    const channels = { subscribe: ['room:*'], publish: ['inbox:{user}'] };
    const narrow = await sign({ channels }, cluster.secret);
    const client = await withToken(narrow);
    await client.next('welcome');
    await client.subscribe('room:7');
    client.send({ type: 'subscribe', id: 's', channel: 'inbox:ada' });
    await client.next('error', (error) => error.id === 's' && error.code === 'forbidden');
    client.send({ type: 'publish', id: 'ok', channel: 'inbox:ada', data: 1 });
    await client.next('ack', (ack) => ack.id === 'ok');
    client.send({ type: 'publish', id: 'no', channel: 'inbox:ben', data: 1 });
    await client.next('error', (error) => error.id === 'no' && error.code === 'forbidden');
    expect((await post(node(0).url, narrow, { channel: 'room:7', text: 'x' })).status).toBe(403);
    const read = await fetch(`${node(0).url}/v1/conversations.history?channel=inbox:ada`, {
      headers: { authorization: `Bearer ${narrow}` },
    });
    expect(read.status).toBe(403);
    const nothing = await withToken(await sign({ channels: undefined }, cluster.secret));
    await nothing.next('welcome');
    nothing.send({ type: 'subscribe', id: 's', channel: 'room:7' });
    await nothing.next('error', (error) => error.code === 'forbidden');
    const byTicket = withTicket((await fetchTicket(narrow)).ticket, 1);
    await byTicket.next('welcome');
    await byTicket.subscribe('room:7');
    byTicket.send({ type: 'subscribe', id: 's', channel: 'inbox:ada' });
    await byTicket.next('error', (error) => error.id === 's' && error.code === 'forbidden');
    for (const open of [client, nothing, byTicket]) open.close();
  });

  test('a session ends when its token expires, with a code that asks for a new token', async () => {
    const brief = await sign({ exp: seconds() + 2 }, cluster.secret);
    const byTicket = withTicket((await fetchTicket(brief)).ticket);
    const byMessage = await withToken(brief);
    for (const client of [byTicket, byMessage]) {
      await client.next('welcome');
      expect(await client.closeCode()).toBe(4001);
    }
  });

  test('a token in the query is refused, unless AUTH_QUERY_TOKEN is on', async () => {
    const open = (bearer: string) => new RawClient(node(1).wsUrl, { query: `?token=${bearer}` });
    expect(await open(token).closeCode()).toBe(1008);
    await node(1).restart({ AUTH_QUERY_TOKEN: 'true' });
    const client = open(token);
    await client.next('welcome');
    client.close();
    const bad = {
      expired: await sign({ exp: seconds() - 60 }, cluster.secret),
      audience: await sign({ aud: 'other' }, cluster.secret),
      key: await sign({}, 'another secret of more than 32 bytes!'),
      ticket: (await fetchTicket()).ticket,
      empty: '',
    };
    for (const [what, bearer] of Object.entries(bad))
      expect([what, await open(bearer).closeCode()]).toEqual([what, 1008]);
  });

  test('without Redis a ticket is accepted once per node, and counted as unchecked', async () => {
    const { ticket } = await fetchTicket();
    await cluster.redis?.process.stop('SIGTERM', 5_000);
    const client = withTicket(ticket);
    await client.next('welcome');
    expect(await withTicket(ticket).closeCode()).toBe(1008);
    expect(
      await metric(node(0).metricsUrl, 'holdfast_authentications_total', { method: 'ticket', result: 'unchecked' }),
    ).toBe(1);
    client.close();
    await cluster.redis?.restart();
  });
});

describeWith()('authentication by JWKS', () => {
  let cluster: Cluster;
  let requests = 0;
  /** How the issuer answers. */
  let mode: 'well' | 'slow' | 'failing' | 'nonsense' | 'wrong' = 'well';
  const keys: unknown[] = [];
  const issuer = createServer((_request, response) => {
    requests++;
    const answer = (status: number, body: string) => response.writeHead(status).end(body);
    if (mode === 'failing') answer(500, 'oops');
    else if (mode === 'nonsense') answer(200, '<html>');
    else if (mode === 'wrong') answer(200, '{}');
    else setTimeout(() => answer(200, JSON.stringify({ keys })), mode === 'slow' ? 1_500 : 0);
  });
  let good: Awaited<ReturnType<typeof generateKeyPair>>;

  beforeAll(async () => {
    good = await generateKeyPair('ES256', { extractable: true });
    keys.push({ ...(await exportJWK(good.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' });
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/jwks`;
    const env = {
      AUTH_JWKS_URL: url,
      AUTH_TICKET_SECRET: 't'.repeat(32),
      AUTH_ISSUER: 'https://issuer',
      AUTH_TIMEOUT_MS: '1000',
      LOG_LEVEL: 'error',
    };
    cluster = await startTestCluster({ nodes: 1, redis: false, secret: null, env });
  });
  afterAll(async () => {
    await cluster?.stop();
    issuer.close();
  });

  const issue = (claims: JWTPayload, key: Parameters<SignJWT['sign']>[0], alg = 'ES256') =>
    new SignJWT({ sub: 'ada', iss: 'https://issuer', exp: seconds() + 60, channels: { publish: ['*'] }, ...claims })
      .setProtectedHeader({ alg, kid: 'k1' })
      .sign(key);
  const send = (token: string) => post(cluster.node(0).url, token, { channel: 'a', text: 'x' });
  const status = async (token: string) => (await send(token)).status;

  async function connect(token: string): Promise<RawClient> {
    const client = new RawClient(cluster.node(0).wsUrl);
    await eventually(() => expect(client.ws.readyState).toBe(client.ws.OPEN));
    client.send({ type: 'auth', token });
    return client;
  }

  test('tokens of the issuer are accepted; tokens of other keys or issuers, or with a public key as the secret, are not', async () => {
    expect(await status(await issue({}, good.privateKey))).toBe(200);
    expect(await status(await issue({ iss: 'https://other' }, good.privateKey))).toBe(401);
    expect(await status(await issue({}, (await generateKeyPair('ES256')).privateKey))).toBe(401);
    const confused = await issue({}, new TextEncoder().encode(JSON.stringify(keys[0])), 'HS256');
    expect(await status(confused)).toBe(401);
    for (let i = 0; i < 20; i++) expect(await status(await issue({ n: i }, good.privateKey))).toBe(200);
    expect(requests).toBeLessThanOrEqual(3);
    const client = await connect(await issue({}, good.privateKey));
    expect(await client.next('welcome')).toMatchObject({ user: 'ada' });
    client.close();
  });

  test('while the issuer fails, valid tokens get a temporary error; they are accepted when it works again', async () => {
    await cluster.node(0).restart();
    const token = await issue({}, good.privateKey);
    for (mode of ['failing', 'nonsense', 'wrong'] as const) {
      expect([mode, await send(token)]).toEqual([
        mode,
        expect.objectContaining({
          status: 503,
          retryAfter: '2',
          error: expect.objectContaining({ code: 'unavailable' }),
        }),
      ]);
      expect([mode, await (await connect(token)).closeCode()]).toEqual([mode, 1013]);
    }
    // Not `rejected`: no check has refused the token.
    const results = (result: string) =>
      metric(cluster.node(0).metricsUrl, 'holdfast_authentications_total', { method: 'http', result });
    expect([await results('unavailable'), await results('rejected')]).toEqual([3, 0]);
    expect(await status('nonsense')).toBe(401);
    mode = 'slow';
    // AUTH_TIMEOUT_MS limits the arrival of the token only, not the time to fetch the keys.
    const [client, hasty] = await Promise.all([connect(token), connect(token)]);
    for (let i = 0; i < 40; i++) hasty.send({ type: 'subscribe', channel: `room:${i}` });
    expect(await hasty.closeCode()).toBe(4500);
    expect(await client.next('welcome')).toMatchObject({ user: 'ada' });
    client.close();
    mode = 'well';
    expect(await status(token)).toBe(200);
  });
});
