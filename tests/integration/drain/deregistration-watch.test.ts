/** A node detects through the AWS API, before any signal, that its load balancer takes it out of service. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createCredentials } from '../../../server/aws/credentials.ts';
import { startDeregistrationWatch } from '../../../server/aws/deregistration/start.ts';
import type { TargetState, Watch } from '../../../server/aws/deregistration/watch.ts';
import { createTargetGroup, Moto, type MotoKeys, taskMetadata } from '../../support/moto.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually, sleep } from '../../support/wait.ts';

const PORT = 8080;
const TOKEN = 'of-the-task';
const NO_KEYS = { accessKeyId: '', secretAccessKey: '', sessionToken: '' };
const ALLOWED = 'elasticloadbalancing:DescribeTargetHealth';

describeWith('moto')('deregistration of an ECS task from its target group', () => {
  let moto: Moto;
  let ecs: Server;
  let ecsUrl: string;
  let targetGroupArn: string;
  const roles = new Map<string, MotoKeys & { expiration: string }>();
  const watches: Watch[] = [];
  let credentialRequests = 0;

  beforeAll(async () => {
    moto = await Moto.start();
    targetGroupArn = await createTargetGroup(moto, PORT);
    roles.set('least', await moto.roleKeys('least', ALLOWED));
    roles.set('other', await moto.roleKeys('other', 'elasticloadbalancing:DescribeTargetGroups'));
    await moto.requireSignatures();
    ecs = await startEcs();
    ecsUrl = `http://127.0.0.1:${(ecs.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    for (const watch of watches.splice(0)) watch.stop();
  });
  afterAll(async () => {
    ecs?.close();
    await moto?.stop();
  });

  /** The endpoints that ECS offers to a task: `/credentials/ROLE` and `/v4/ADDRESS/task`. */
  function startEcs(): Promise<Server> {
    const server = createServer((request, response) => {
      const [, what, name = ''] = (request.url ?? '').split('/');
      if (what === 'v4') return void response.end(JSON.stringify(taskMetadata(name)));
      const keys = roles.get(name);
      credentialRequests++;
      if (!keys || request.headers.authorization !== TOKEN) return void response.writeHead(403).end();
      const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken, expiration } = keys;
      response.end(JSON.stringify({ AccessKeyId, SecretAccessKey, Token: sessionToken, Expiration: expiration }));
    });
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
  }

  function watch(address: string, { role = 'least', keys = NO_KEYS, timeoutMs = 20_000 } = {}) {
    const seen = { states: [] as TargetState[], errors: [] as unknown[], deregistered: [] as TargetState[] };
    watches.push(
      startDeregistrationWatch({
        targetGroupArn,
        port: PORT,
        intervalMs: 50,
        timeoutMs,
        metadataUri: `${ecsUrl}/v4/${address}`,
        endpoint: moto.url,
        credentials: createCredentials({
          ...keys,
          containerCredentialsRelativeUri: '',
          containerCredentialsFullUri: `${ecsUrl}/credentials/${role}`,
          containerAuthorizationToken: TOKEN,
          timeoutMs,
        }),
        onChange: (state) => seen.states.push(state),
        onError: (error) => seen.errors.push(error),
        onDeregistered: (state) => seen.deregistered.push(state),
      }),
    );
    return seen;
  }

  const targets = (action: 'RegisterTargets' | 'DeregisterTargets', address: string) =>
    moto.call('elasticloadbalancing', action, {
      TargetGroupArn: targetGroupArn,
      'Targets.member.1.Id': address,
      'Targets.member.1.Port': String(PORT),
    });

  test('is reported once, with a single permission, and not before the task was registered', async () => {
    const requestsBefore = credentialRequests;
    const [seen, other] = [watch('10.0.0.5'), watch('10.0.0.6')];
    await targets('RegisterTargets', '10.0.0.6');
    await eventually(() => expect([seen.states, other.states.at(-1)]).toEqual([['absent'], 'healthy']));
    await sleep(500);
    expect(seen.deregistered).toEqual([]);
    await targets('RegisterTargets', '10.0.0.5');
    await eventually(() => expect(seen.states).toEqual(['absent', 'healthy']));
    await targets('DeregisterTargets', '10.0.0.5');
    await eventually(() => expect(seen.deregistered).toEqual(['absent']));
    await sleep(500);
    expect(seen).toEqual({ states: ['absent', 'healthy', 'absent'], errors: [], deregistered: ['absent'] });
    expect(other).toMatchObject({ errors: [], deregistered: [] });
    expect(credentialRequests - requestsBefore).toBe(2);
  });

  test('a missing permission, a wrong secret and unknown keys are errors with their reason, and no deregistration', async () => {
    await targets('RegisterTargets', '10.0.0.7');
    const { accessKeyId = '', sessionToken = '' } = roles.get('least') ?? {};
    const seen = [
      watch('10.0.0.7', { role: 'other' }),
      watch('10.0.0.7', { keys: { accessKeyId, secretAccessKey: 'wrong', sessionToken } }),
      watch('10.0.0.7', { role: 'none' }),
    ];
    await eventually(() => {
      for (const { errors } of seen) expect(errors.length).toBeGreaterThan(2);
    });
    expect(seen[0]?.errors[0]).toMatchObject({ code: 'AccessDenied', message: expect.stringContaining(ALLOWED) });
    expect(seen[1]?.errors[0]).toMatchObject({ code: 'SignatureDoesNotMatch' });
    expect(String(seen[2]?.errors[0])).toContain('HTTP 403');
    for (const { states, deregistered } of seen) expect([states, deregistered]).toEqual([[], []]);
  });

  test('an API that hangs is not a deregistration; one that happens meanwhile is reported afterwards', async () => {
    await targets('RegisterTargets', '10.0.0.8');
    const [seen, gone] = [watch('10.0.0.8', { timeoutMs: 1_000 }), watch('10.0.0.9', { timeoutMs: 1_000 })];
    await targets('RegisterTargets', '10.0.0.9');
    await eventually(() => expect([seen.states.at(-1), gone.states.at(-1)]).toEqual(['healthy', 'healthy']));
    moto.process.kill('SIGSTOP');
    await eventually(() => expect(Math.min(seen.errors.length, gone.errors.length)).toBeGreaterThan(2));
    expect([seen.deregistered, gone.deregistered]).toEqual([[], []]);
    moto.process.kill('SIGCONT');
    await targets('DeregisterTargets', '10.0.0.9');
    await eventually(() => expect(gone.deregistered).toEqual(['absent']));
    expect(seen.deregistered).toEqual([]);
  });
});
