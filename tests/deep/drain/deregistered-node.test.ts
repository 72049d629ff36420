/** A node whose target is deregistered drains at once, and stays alive until SIGTERM. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Auditor } from '../../../server/audit/auditor.ts';
import { httpHistory } from '../../../server/audit/http-history.ts';
import { metric } from '../../support/api.ts';
import { AuditedClient } from '../../support/audited-client.ts';
import { AuditedPublisher } from '../../support/audited-publisher.ts';
import { NO_RATE_LIMITS } from '../../support/cluster.ts';
import { type FaultyCluster, startFaultyCluster } from '../../support/faults/faulty-cluster.ts';
import { createTargetGroup, Moto, taskMetadata } from '../../support/moto.ts';
import { RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually, sleep } from '../../support/wait.ts';

const ADDRESS = '10.0.0.5';
const CLIENTS = 20;

describeWith('moto')('a node that its load balancer takes out of service', () => {
  let moto: Moto;
  let ecs: Server;
  let faulty: FaultyCluster;
  let token: string;
  let targetGroupArn: string;

  beforeAll(async () => {
    moto = await Moto.start();
    ecs = createServer((_request, response) => void response.end(JSON.stringify(taskMetadata(ADDRESS))));
    await new Promise<void>((resolve) => ecs.listen(0, '127.0.0.1', resolve));
    faulty = await startFaultyCluster({ nodes: 2, env: { ...NO_RATE_LIMITS, DRAIN_RATE: '10', LOG_LEVEL: 'info' } });
    token = await faulty.cluster.token({ user: 'ada' });
    targetGroupArn = await createTargetGroup(moto, faulty.node(0).port);
    await targets('RegisterTargets');
    await faulty.node(0).restart({
      DEREGISTRATION_TARGET_GROUP_ARN: targetGroupArn,
      DEREGISTRATION_POLL_MS: '1000',
      AWS_ENDPOINT_URL: moto.url,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      ECS_CONTAINER_METADATA_URI_V4: `http://127.0.0.1:${(ecs.address() as AddressInfo).port}/v4/task`,
    });
  }, 120_000);
  afterAll(async () => {
    await faulty?.stop();
    ecs?.close();
    await moto?.stop();
  });

  const targets = (action: 'RegisterTargets' | 'DeregisterTargets') =>
    moto.call('elasticloadbalancing', action, {
      TargetGroupArn: targetGroupArn,
      'Targets.member.1.Id': ADDRESS,
      'Targets.member.1.Port': String(faulty.node(0).port),
    });

  test('moves its connections before any signal, loses no message, and stops at once on SIGTERM', async () => {
    const auditor = new Auditor({ history: httpHistory({ url: faulty.node(1).url, token }) });
    let leaving = false;
    const wsUrl = () => faulty.node(leaving ? 1 : 0).wsUrl;
    const clients = Array.from(
      { length: CLIENTS },
      (_, i) => new AuditedClient({ auditor, token, name: `c${i}`, channels: ['room:1'], wsUrl }),
    );
    await eventually(() => expect(clients.every((client) => client.isReady)).toBe(true));
    const publisher = new AuditedPublisher({ auditor, token, name: 'p', url: () => faulty.node(1).url });
    // While the target is registered, the polls start no drain.
    await sleep(2_500);
    expect(await metric(faulty.node(0).metricsUrl, 'holdfast_draining')).toBe(0);
    leaving = true;
    await targets('DeregisterTargets');
    await eventually(async () => {
      await publisher.publish('room:1');
      expect(await metric(faulty.node(0).metricsUrl, 'holdfast_connections')).toBe(0);
    });
    // The node stays alive, because the load balancer may still send requests that are in progress.
    expect(faulty.node(0).process.exit).toBeUndefined();
    expect((await fetch(`${faulty.node(0).url}/healthz`)).status).toBe(200);
    expect((await fetch(`${faulty.node(0).url}/readyz`)).status).toBe(503);
    const late = new RawClient(faulty.node(0).wsUrl);
    await late.closeCode();
    expect(clients.map((client) => client.reconnects)).toEqual(clients.map(() => 1));
    await eventually(async () => {
      await auditor.follow();
      expect(auditor.isComplete).toBe(true);
    });
    expect(await auditor.close()).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, altered: 0, unstored: 0 });
    for (const client of clients) client.stop();
    await faulty.node(0).stop();
    expect(await faulty.node(0).process.exited).toEqual({ code: 0, signal: null });
    const drains = faulty
      .node(0)
      .process.output()
      .split('\n')
      .filter((line) => line.includes('"remaining":20'));
    expect(drains).toHaveLength(1);
  }, 120_000);
});
