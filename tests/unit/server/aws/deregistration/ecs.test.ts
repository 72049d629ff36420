/** What ECS provides to a task: credentials, cached while they are valid, and the address of the task. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type CredentialOptions, createCredentials } from '../../../../../server/aws/credentials.ts';
import { createTaskAddress } from '../../../../../server/aws/deregistration/task-address.ts';

const MINUTE_MS = 60_000;
const NONE: CredentialOptions = {
  accessKeyId: '',
  secretAccessKey: '',
  sessionToken: '',
  containerCredentialsRelativeUri: '',
  containerCredentialsFullUri: '',
  containerAuthorizationToken: '',
  timeoutMs: 20_000,
};

let server: Server;
let url: string;
let reply: (response: ServerResponse) => void;
let requests: { path: string | undefined; authorization: string | undefined }[];

beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push({ path: request.url, authorization: request.headers.authorization });
    reply(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

function answerWith(body: unknown, status = 200): void {
  requests = [];
  reply = (response) => response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
}

describe('credentials', () => {
  const temporary = (minutes: number, more: Record<string, unknown> = {}) => ({
    RoleArn: 'arn:aws:iam::123456789012:role/task',
    AccessKeyId: 'ASIA',
    SecretAccessKey: 'secret',
    Token: 'token',
    Expiration: new Date(Date.now() + minutes * MINUTE_MS).toISOString(),
    ...more,
  });
  const fromEndpoint = () =>
    createCredentials({
      ...NONE,
      containerCredentialsFullUri: `${url}/creds?id=1`,
      containerAuthorizationToken: 'of-task',
    });
  const expected = { accessKeyId: 'ASIA', secretAccessKey: 'secret', sessionToken: 'token' };

  test('fixed keys have precedence over every endpoint', async () => {
    const keys = { accessKeyId: 'AKIA', secretAccessKey: 'secret' };
    expect(await createCredentials({ ...NONE, ...keys })()).toEqual(keys);
    const all = { ...keys, sessionToken: 'token' };
    expect(await createCredentials({ ...NONE, ...all, containerCredentialsRelativeUri: '/v2/x' })()).toEqual(all);
  });

  test('are fetched with the authorization token, and only once while they are valid', async () => {
    answerWith(temporary(60));
    const credentials = fromEndpoint();
    expect([await credentials(), await credentials()]).toEqual([expected, expected]);
    expect(requests).toEqual([{ path: '/creds?id=1', authorization: 'of-task' }]);
  });

  test('are renewed before they expire; while that fails, the old ones are used until they expire', async () => {
    answerWith(temporary(4));
    const credentials = fromEndpoint();
    await credentials();
    answerWith(temporary(4, { AccessKeyId: 'ASIB' }));
    expect(await credentials()).toEqual({ ...expected, accessKeyId: 'ASIB' });
    answerWith('busy', 503);
    expect(await credentials()).toEqual({ ...expected, accessKeyId: 'ASIB' });
    expect(requests).toHaveLength(1);
    answerWith(temporary(-1));
    await credentials();
    answerWith('busy', 503);
    await expect(credentials()).rejects.toThrow('HTTP 503');
    answerWith(temporary(60));
    expect(await credentials()).toEqual(expected);
  });

  test.each<[string, unknown, RegExp]>([
    ['no JSON', 'TOP-SECRET', /did not answer with JSON/],
    ['no object', '"TOP-SECRET"', /without Expiration/],
    ['no secret', temporary(60, { SecretAccessKey: undefined, Token: 'TOP-SECRET' }), /without SecretAccessKey/],
    ['an empty token', temporary(60, { SecretAccessKey: 'TOP-SECRET', Token: '' }), /without Token/],
    ['a number as key', temporary(60, { AccessKeyId: 1 }), /without AccessKeyId/],
    ['no expiry', temporary(60, { Expiration: 'never' }), /Expiration/],
  ])('an answer with %s is an error that contains no secret', async (_what, body, message) => {
    answerWith(body);
    const error = await fromEndpoint()().catch((thrown: unknown) => thrown);
    expect(String(error)).toMatch(message);
    expect(String(error)).not.toContain('TOP-SECRET');
  });

  test('without a source, or with an unencrypted one on another machine, creation fails', () => {
    expect(() => createCredentials(NONE)).toThrow('task role');
    expect(() => createCredentials({ ...NONE, accessKeyId: 'AKIA' })).toThrow('task role');
    const full = (uri: string) => () => createCredentials({ ...NONE, containerCredentialsFullUri: uri });
    for (const uri of ['http://10.0.0.1/', 'http://localhost.evil.example/', 'ftp://localhost/', 'creds'])
      expect(full(uri)).toThrow('https');
    for (const uri of ['https://creds.example/', 'http://169.254.170.23/v1/credentials', 'http://[::1]:80/'])
      expect(full(uri)).not.toThrow();
  });
});

describe('the address of the task', () => {
  const network = (...IPv4Addresses: unknown[]) => ({ NetworkMode: 'awsvpc', IPv4Addresses });
  const task = (...networks: unknown[][]) => ({ Containers: networks.map((Networks) => ({ Networks })) });
  const addressNow = () => createTaskAddress({ metadataUri: `${url}/v4/abc`, timeoutMs: 20_000 });

  test('is the address of all containers, and is read until it is known', async () => {
    const address = addressNow();
    answerWith(task([], []));
    await expect(address()).rejects.toThrow('one IPv4 address');
    answerWith(task([network('10.0.0.5')], [], [network('10.0.0.5')]));
    expect([await address(), await address()]).toEqual(['10.0.0.5', '10.0.0.5']);
    expect(requests.map(({ path }) => path)).toEqual(['/v4/abc/task']);
  });

  test.each<[string, unknown]>([
    ['two addresses', task([network('10.0.0.5', '10.0.0.6')])],
    ['a bridge', task([{ NetworkMode: 'bridge', IPv4Addresses: ['172.17.0.2'] }])],
    ['an invalid address', task([network('localhost')])],
    ['a number', task([network(10)])],
    ['no containers', {}],
    ['nothing', 'null'],
  ])('is not taken from %s', async (_what, body) => {
    answerWith(body);
    await expect(addressNow()()).rejects.toThrow('one IPv4 address');
  });

  test('is an error outside ECS', () => {
    expect(() => createTaskAddress({ metadataUri: '', timeoutMs: 1 })).toThrow('not an ECS task');
  });
});
