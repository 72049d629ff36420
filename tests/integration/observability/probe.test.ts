/** The probe against real clusters: a round without faults succeeds, and a failed round names its phase. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type WebSocket, WebSocketServer } from 'ws';
import { probeToken } from '../../../server/probe/access.ts';
import { type RoundOptions, runRound } from '../../../server/probe/round.ts';
import { PROBE_PHASES } from '../../../server/telemetry/catalogue.ts';
import { startTestCluster } from '../../support/cluster.ts';
import { type FaultyCluster, startFaultyCluster } from '../../support/faults/faulty-cluster.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually } from '../../support/wait.ts';

function round(url: string, secret: string, more: Partial<RoundOptions> = {}): RoundOptions {
  const channel = 'probe:test';
  return {
    url,
    channel,
    token: () => probeToken({ token: '', secret, issuer: '', audience: '', channel }),
    timeoutMs: 4_000,
    messages: 3,
    ...more,
  };
}

describeWith('redis', 'nginx')('a probe', () => {
  let faulty: FaultyCluster;
  let options: RoundOptions;
  beforeAll(async () => {
    faulty = await startFaultyCluster({ nginx: true, ownPostgres: true });
    options = round(faulty.cluster.url, faulty.cluster.secret);
  });
  afterAll(() => faulty?.stop());

  test('runs every phase over two nodes, and receives every message once', async () => {
    const result = await runRound(options);
    expect(result).toMatchObject({
      ok: true,
      findings: { received: 6, lost: 0, duplicated: 0, reordered: 0, altered: 0 },
    });
    expect(Object.keys(result.seconds)).toEqual([...PROBE_PHASES]);
    // 1 in 16 rounds reaches no second node.
    const crossed = async () => {
      const { nodes } = await runRound(options);
      expect(nodes.publisher).not.toBe(nodes.receiver);
    };
    await eventually(crossed);
  });

  test('succeeds while Redis is away, because messages only arrive later', async () => {
    await faulty.redis.process.stop('SIGKILL', 1_000);
    expect(await runRound(options)).toMatchObject({ ok: true });
    await faulty.restartRedis();
  });

  test('a refused token fails the phase ticket', async () => {
    const wrong = round(faulty.cluster.url, 'another-secret-of-at-least-32-bytes');
    expect(await runRound(wrong)).toMatchObject({
      ok: false,
      failed: { phase: 'ticket', reason: expect.stringContaining('401') },
    });
  });

  test('a service that does not answer fails the phase ticket', async () => {
    expect(await runRound({ ...options, url: 'http://127.0.0.1:9' })).toMatchObject({ failed: { phase: 'ticket' } });
  });

  test('a Postgres that hangs fails the phase subscribe or publish', async () => {
    expect(await runRound(options)).toMatchObject({ ok: true });
    faulty.postgres.process.kill('SIGSTOP');
    try {
      expect(await runRound({ ...options, timeoutMs: 1_500 })).toMatchObject({
        ok: false,
        failed: { phase: expect.stringMatching(/^(subscribe|publish)$/) },
      });
    } finally {
      faulty.postgres.process.kill('SIGCONT');
    }
    await eventually(async () => expect(await runRound(options)).toMatchObject({ ok: true }), { timeoutMs: 20_000 });
  });

  test('the program runs rounds until SIGTERM and serves metrics; with --once it runs one round and exits with its result', async () => {
    const env = {
      PATH: process.env.PATH,
      PROBE_URL: faulty.cluster.url,
      AUTH_JWT_SECRET: faulty.cluster.secret,
      PROBE_ZONE: '1',
      PROBE_INTERVAL_MS: '200',
      METRICS_PORT: '0',
      HOST: '127.0.0.1',
    };
    const run = (args: string[], more: Record<string, string> = {}) =>
      spawn(process.execPath, ['dist/server/probe/main.js', ...args], { env: { ...env, ...more }, stdio: 'pipe' });
    const child = run([]);
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    const port = await eventually(() => {
      const found = /"metrics_port":(\d+)/.exec(output)?.[1];
      if (!found) throw new Error(`no port in: ${output}`);
      return found;
    });
    await eventually(async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      expect(metrics).toMatch(/holdfast_probe_rounds_total\{result="ok"[^}]*\} [1-9]/);
      expect(metrics).toMatch(/holdfast_probe_success(\{[^}]*\})? 1/);
      expect(metrics).toMatch(/holdfast_probe_messages_total\{finding="lost"[^}]*\} 0/);
      expect(metrics).toContain('holdfast_probe_phase_seconds_bucket{phase="recover"');
    });
    child.kill('SIGTERM');
    expect((await once(child, 'exit'))[0]).toBe(0);

    const once1 = run(['--once', '--json']);
    expect(JSON.parse(await text(once1.stdout))).toMatchObject({ ok: true });
    const failing = run(['--once'], { PROBE_URL: 'http://127.0.0.1:9' });
    const [output1, [code]] = await Promise.all([text(failing.stdout), once(failing, 'exit')]);
    expect([code, output1]).toEqual([1, expect.stringContaining('ticket     FAILED')]);
    const wrong = run(['--once'], { PROBE_URL: '', AUTH_JWT_SECRET: '' });
    const [problem, [exit]] = await Promise.all([text(wrong.stderr), once(wrong, 'exit')]);
    expect([exit, problem]).toEqual([2, expect.stringContaining('PROBE_URL is empty')]);
  });
});

/** A proxy between probe and node that changes messages in ways that no server may. */
describeWith('redis')('a network that breaks messages', () => {
  let cluster: Awaited<ReturnType<typeof startTestCluster>>;
  const servers: Server[] = [];
  beforeAll(async () => {
    cluster = await startTestCluster({ nodes: 1 });
  });
  afterAll(async () => {
    for (const server of servers) server.close();
    await cluster?.stop();
  });

  /** Starts a proxy that replaces each message of the service with what `mangle` returns. @returns its address */
  async function mangled(mangle: (message: string, index: number) => string[]): Promise<string> {
    const { WebSocket: Client } = await import('ws');
    let index = 0;
    const server = createServer(async (request, response) => {
      const answer = await fetch(`${cluster.url}${request.url}`, {
        method: request.method ?? 'GET',
        headers: { authorization: request.headers.authorization ?? '' },
      });
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
    });
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (down: WebSocket, request) => {
      const up = new Client(`${cluster.wsUrl.replace('/ws', '')}${request.url}`, 'holdfast.v1');
      down.on('message', (data) => up.send(String(data)));
      up.on('message', (data) => {
        const push = String(data);
        for (const one of push.includes('"type":"message"') ? mangle(push, index++) : [push]) down.send(one);
      });
      up.on('close', () => down.terminate());
      down.on('close', () => up.terminate());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const probe = async (mangle: (message: string, index: number) => string[]) =>
    runRound(round(await mangled(mangle), cluster.secret, { timeoutMs: 1_500 }));

  describe('is detected', () => {
    test('a message that never arrives', async () => {
      expect(await probe((message, i) => (i === 1 ? [] : [message]))).toMatchObject({
        ok: false,
        failed: { phase: 'audit', reason: 'Of the acknowledged messages: 1 lost.' },
        findings: { received: 5, lost: 1 },
      });
    });
    test('a message that arrives twice', async () => {
      expect(await probe((message, i) => (i === 1 ? [message, message] : [message]))).toMatchObject({
        ok: false,
        findings: { received: 6, duplicated: 1 },
      });
    });
    test('messages out of order', async () => {
      let held = '';
      const swap = (message: string, i: number) => {
        if (i === 3) held = message;
        return i === 3 ? [] : i === 4 ? [message, held] : [message];
      };
      expect(await probe(swap)).toMatchObject({ ok: false, findings: { received: 5, reordered: 1 } });
    });
    test('a message with other data', async () => {
      const change = (message: string, i: number) => [i === 2 ? message.replace('"at":1', '"at":2') : message];
      expect(await probe(change)).toMatchObject({ ok: false, findings: { altered: 1 } });
    });
    test('messages that stop arriving', async () => {
      expect(await probe((message, i) => (i >= 2 ? [] : [message]))).toMatchObject({ failed: { phase: 'receive' } });
    });
    test('a recovery without messages', async () => {
      expect(await probe((message, i) => (i >= 3 ? [] : [message]))).toMatchObject({ failed: { phase: 'recover' } });
    });
  });
});
