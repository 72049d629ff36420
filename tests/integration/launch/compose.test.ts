/**
 * compose.yaml, checked without Docker: its settings exist, its images are pinned, and the nginx of its balancer starts
 * and spreads requests over both nodes.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { ManagedProcess } from '../../../infra/host/managed-process.ts';
import { freePort } from '../../../infra/host/ports.ts';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';
import { type Cluster, startCluster } from '../../../infra/local/servers/cluster.ts';
import { findNginx } from '../../../infra/local/servers/nginx.ts';
import { loadConfig, SETTINGS } from '../../../server/config.ts';
import { describeWith } from '../../support/requirements.ts';

const LOCAL = join(import.meta.dirname, '..', '..', '..', 'infra', 'local');

interface Service {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly depends_on?: object;
  readonly read_only?: boolean;
}
const services = parse(readFileSync(join(LOCAL, 'compose.yaml'), 'utf8'), { merge: true }).services as Record<
  string,
  Service
>;

describe('compose.yaml', () => {
  test('has PostgreSQL, Redis, two nodes and a balancer', () => {
    expect(Object.keys(services)).toEqual(['postgres', 'redis', 'node-1', 'node-2', 'balancer']);
  });

  test('pins the images that are not built here', () => {
    for (const [name, { image }] of Object.entries(services)) {
      if (name.startsWith('node-')) expect(image).toBe('holdfast-server:local');
      else expect(image).toMatch(/:\d+\.\d+(\.\d+)?-bookworm$/);
    }
  });

  test.each(['node-1', 'node-2'])('%s has only settings that the server knows, and no secret', (name) => {
    const { environment = {}, read_only } = services[name] ?? ({} as Service);
    expect(Object.keys(environment).filter((one) => !(one in SETTINGS))).toEqual([]);
    expect(environment.AUTH_JWT_SECRET).toMatch(/^\$\{AUTH_JWT_SECRET:\?/);
    expect(environment.DATABASE_URL).toContain('${POSTGRES_PASSWORD:?');
    const filled = Object.entries(environment).map(([key, value]) => [
      key,
      value.replace(/\$\{\w+:\?[^}]*\}/, 'x'.repeat(40)),
    ]);
    expect(loadConfig(Object.fromEntries(filled))).toMatchObject({ NODE_ID: name, DEMO_PAGE: true });
    expect(read_only).toBe(true);
  });
});

describeWith('nginx', 'redis')('the balancer of compose.yaml', () => {
  let directory: string;
  let cluster: Cluster;
  let nginx: ManagedProcess;
  let port: number;

  beforeAll(async () => {
    directory = temporaryDirectory('compose');
    cluster = await startCluster({ nodes: 2, redis: true, nginx: false });
    port = await freePort();
    const { command = [], environment = {} } = services.balancer ?? ({} as Service);
    // Undo the escape of Compose ($$), and use the path of the file on this machine.
    const script = command.join(' ').replaceAll('$$', '$').replace('/holdfast/nginx.conf', join(LOCAL, 'nginx.conf'));
    const [a, b] = cluster.nodes.map((node) => String(node.port));
    const servers =
      environment.SERVERS?.replace('node-1:8080', `127.0.0.1:${a}`).replace('node-2:8080', `127.0.0.1:${b}`) ?? '';
    const env = {
      ...environment,
      // nginx is in a directory that is not on the PATH of an ordinary user.
      PATH: [process.env.PATH, dirname(findNginx() ?? '')].join(':'),
      LISTEN: `127.0.0.1:${port}`,
      SERVERS: servers,
      RUN: directory,
    };
    writeFileSync(join(directory, 'nginx.pid'), '');
    nginx = await ManagedProcess.start({
      name: 'nginx',
      command: '/bin/sh',
      args: ['-ec', script],
      env,
      logFile: join(directory, 'nginx.log'),
    });
    await nginx.ready(async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok, { deadlineMs: 20_000 });
  }, 120_000);
  afterAll(async () => {
    await nginx?.stop('SIGQUIT', 5_000);
    await cluster?.stop();
    removeTemporary(directory);
  });

  test('leaves no placeholder, and nginx accepts the configuration', () => {
    const file = join(directory, 'nginx.conf');
    expect(readFileSync(file, 'utf8')).not.toMatch(/@[A-Z_]+@/);
    expect(spawnSync(findNginx() ?? 'nginx', ['-t', '-c', file]).status).toBe(0);
  });

  test('reaches both nodes', async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 50 && seen.size < 2; i++) {
      const { node_id } = (await (await fetch(`http://127.0.0.1:${port}/healthz`)).json()) as { node_id: string };
      seen.add(node_id);
    }
    expect([...seen].sort()).toEqual(['node-1', 'node-2']);
  });
});
