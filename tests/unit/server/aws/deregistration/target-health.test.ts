/** The request for the state of a target, and the strict parsing of the answer. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import {
  createTargetHealth,
  endpointOf,
  parseState,
  type TargetHealthOptions,
} from '../../../../../server/aws/deregistration/target-health.ts';

const ARN = 'arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/nodes/73e2d6bc24d8a067';
const TARGET = '<Target><AvailabilityZone>eu-west-1a</AvailabilityZone><Port>8080</Port><Id>10.0.0.5</Id></Target>';

const member = (health: string, target = TARGET, more = '') =>
  `<member><HealthCheckPort>8080</HealthCheckPort>${more}<TargetHealth>${health}</TargetHealth>${target}</member>`;
const answer = (...members: string[]) =>
  `<DescribeTargetHealthResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">
  <DescribeTargetHealthResult>
    <TargetHealthDescriptions>${members.join('\n')}</TargetHealthDescriptions>
  </DescribeTargetHealthResult>
  <ResponseMetadata><RequestId>c534f810-f389-11e5-9192-3fff33344cfa</RequestId></ResponseMetadata>
</DescribeTargetHealthResponse>`;
const state = (name: string, reason = '') => `<State>${name}</State>${reason && `<Reason>${reason}</Reason>`}`;
const parse = (xml: string) => parseState(xml, '10.0.0.5', 8080);

describe('the answer', () => {
  test.each([
    ['healthy', state('healthy'), 'healthy'],
    ['draining', state('draining', 'Target.DeregistrationInProgress'), 'draining'],
    ['initial, on several lines', '\n  <State>\n    initial\n  </State>\n', 'initial'],
    ['not in use', state('unused', 'Target.NotInUse'), 'unused'],
    ['unused without reason', state('unused'), 'unused'],
    ['not registered', state('unused', 'Target.NotRegistered'), 'absent'],
    ['unhealthy and drained by a network load balancer', state('unhealthy.draining'), 'unhealthy.draining'],
  ])('%s', (_what, health, expected) => expect(parse(answer(member(health)))).toBe(expected));

  test('without any target: absent', () => {
    expect(parse(answer())).toBe('absent');
    expect(parse(answer().replace(/<TargetHealthDescriptions>.*<\/T.*s>/, '<TargetHealthDescriptions/>'))).toBe(
      'absent',
    );
  });

  test('the state of an administrative override is not that of the target', () => {
    const override = `<AdministrativeOverride>${state('draining', 'Target.NotRegistered')}</AdministrativeOverride>`;
    expect(parse(answer(member(state('healthy'), TARGET, override)))).toBe('healthy');
  });

  test.each([
    ['empty', ''],
    ['JSON', '{"TargetHealthDescriptions":[]}'],
    ['an HTML page of a proxy', '<html><body>OK</body></html>'],
    ['another answer', '<DescribeTagsResponse><DescribeTagsResult/></DescribeTagsResponse>'],
    ['cut off', answer(member(state('draining'))).slice(0, 250)],
    ['without the list', '<DescribeTargetHealthResult></DescribeTargetHealthResult>'],
    ['of two targets', answer(member(state('healthy')), member(state('draining')))],
    ['of another address', answer(member(state('draining'), TARGET.replace('10.0.0.5', '10.0.0.55')))],
    ['of another port', answer(member(state('draining'), TARGET.replace('8080', '80')))],
    ['without target', answer(member(state('draining'), ''))],
    ['without state', answer(member('<Reason>Target.NotRegistered</Reason>'))],
    ['with two states', answer(member(state('healthy') + state('draining')))],
    ['with an unknown state', answer(member(state('gone')))],
  ])('that is invalid is an error: %s', (_what, xml) => expect(() => parse(xml)).toThrow('UnexpectedAnswer'));
});

describe('the endpoint', () => {
  test('belongs to the region and partition of the target group, unless AWS_ENDPOINT_URL is set', () => {
    const url = (arn: string, override = '') => endpointOf(arn, override);
    expect(url(ARN)).toEqual({ url: 'https://elasticloadbalancing.eu-west-1.amazonaws.com/', region: 'eu-west-1' });
    expect(url(ARN.replace('aws:', 'aws-cn:').replace('eu-west-1', 'cn-north-1')).url).toBe(
      'https://elasticloadbalancing.cn-north-1.amazonaws.com.cn/',
    );
    expect(url(ARN, 'http://127.0.0.1:5000')).toEqual({ url: 'http://127.0.0.1:5000', region: 'eu-west-1' });
    const other = ARN.replace('aws:', 'aws-iso:');
    expect(() => url(other)).toThrow('aws-iso');
    expect(url(other, 'https://elb.example').url).toBe('https://elb.example');
  });

  test.each([
    '',
    'nodes',
    ARN.replace('targetgroup', 'loadbalancer'),
    ARN.replace('eu-west-1', 'evil.example/'),
    ARN.replace('eu-west-1', ''),
    `${ARN}\n`,
  ])('"%s" is not the ARN of a target group', (arn) => {
    expect(() => endpointOf(arn, '')).toThrow('is not the ARN of a target group');
  });
});

describe('the request', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  /** Sends the request to a server that replies with `reply`. */
  async function send(
    reply: (request: IncomingMessage, response: ServerResponse, body: string) => void,
    options: Partial<TargetHealthOptions> = {},
  ) {
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      reply(request, response, Buffer.concat(chunks).toString());
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return createTargetHealth({
      targetGroupArn: ARN,
      address: async () => '10.0.0.5',
      port: 8080,
      credentials: async () => ({ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret', sessionToken: 'token' }),
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      timeoutMs: 20_000,
      ...options,
    })();
  }

  test('names this target, and is signed for its region with the session token', async () => {
    let seen: [IncomingMessage, string] | undefined;
    const found = await send((request, response, body) => {
      seen = [request, body];
      response.end(answer(member(state('healthy'))));
    });
    expect(found).toBe('healthy');
    const [{ method, headers } = {} as IncomingMessage, body = ''] = seen ?? [];
    expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
      Action: 'DescribeTargetHealth',
      Version: '2015-12-01',
      TargetGroupArn: ARN,
      'Targets.member.1.Id': '10.0.0.5',
      'Targets.member.1.Port': '8080',
    });
    expect([method, headers['x-amz-security-token']]).toEqual(['POST', 'token']);
    expect(headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/elasticloadbalancing\/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}$/,
    );
  });

  test('a refusal is an error with the code of AWS, without a retry', async () => {
    let requests = 0;
    const xml = '<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>';
    const asked = send((_request, response) => {
      requests++;
      response.writeHead(503).end(xml);
    });
    await expect(asked).rejects.toMatchObject({ code: 'Throttling', message: 'Throttling: Rate exceeded' });
    expect(requests).toBe(1);
  });

  test('an answer without code, a redirect and a timeout are errors', async () => {
    await expect(send((_request, response) => response.writeHead(502).end('<html>'))).rejects.toThrow('HTTP 502');
    server?.close();
    const moved = send((request, response) => {
      if (request.url === '/') response.writeHead(307, { location: '/elsewhere' }).end();
      else response.end(answer(member(state('draining'))));
    });
    await expect(moved).rejects.toThrow('fetch failed');
    server?.close();
    await expect(send(() => {}, { timeoutMs: 200 })).rejects.toThrow(/timeout/i);
    server?.closeAllConnections();
    server?.close();
    // The status arrives in time, the body does not.
    const half = send((_request, response) => void response.writeHead(200).write('<Desc'), { timeoutMs: 200 });
    await expect(half).rejects.toThrow(/timeout/i);
  });
});
