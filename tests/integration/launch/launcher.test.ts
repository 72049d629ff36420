/** `npm start` as a user runs it: start, restart, stop, and what it prints when something is missing or wrong. */
import { mkdirSync, statSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isFree } from '../../../infra/host/ports.ts';
import { isRunning } from '../../../infra/host/process-identity.ts';
import { type Launcher, type LauncherPlace, launcherPlace } from '../../support/launcher.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually, sleep } from '../../support/wait.ts';

let place: LauncherPlace;
let launcher: Launcher | undefined;

beforeAll(async () => {
  place = await launcherPlace();
});
afterAll(async () => {
  await stop();
  place.remove();
});

async function stop(): Promise<void> {
  launcher?.child.kill('SIGTERM');
  await launcher?.ended;
  launcher = undefined;
}

/** The launcher that an earlier test left running, or a new one. Only for tests with the default environment. */
async function running(): Promise<Launcher> {
  if (launcher?.child.exitCode !== null || launcher.child.signalCode !== null) launcher = place.start();
  await launcher.printed('ready in');
  return launcher;
}

/** Starts a new launcher, after stopping the one that runs. */
async function start(env: Record<string, string> = {}, args: string[] = []): Promise<Launcher> {
  await stop();
  launcher = place.start(env, args);
  return launcher;
}

/** Publishes with the curl command that the launcher printed. */
async function publish(output: string): Promise<{ ok: boolean; offset: number }> {
  const url = /curl -sS (\S+)/.exec(output)?.[1] ?? '';
  const token = /Bearer ([^']+)'/.exec(output)?.[1];
  const body = /-d '([^']+)'/.exec(output)?.[1] ?? '';
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return (await (await fetch(url, { method: 'POST', headers, body })).json()) as { ok: boolean; offset: number };
}

async function expectNothingLeft(processes: ReturnType<Launcher['state']>['processes']): Promise<void> {
  await eventually(async () => {
    expect(processes.filter(isRunning)).toEqual([]);
    for (const port of [place.ports.balancer, ...place.ports.nodes]) expect(await isFree(port)).toBe(true);
  });
}

describeWith('redis', 'nginx')('npm start', () => {
  test('serves through the balancer, keeps messages across restarts, and leaves nothing behind', async () => {
    const first = await start();
    const began = performance.now();
    await first.printed('ready in');
    expect(performance.now() - began).toBeLessThan(15_000);
    const balancer = `http://127.0.0.1:${place.ports.balancer}`;
    expect((await fetch(`${balancer}/healthz`)).status).toBe(200);
    expect(first.output()).toContain(`${balancer}/#token=`);
    expect((await fetch(`${balancer}/`)).headers.get('content-type')).toContain('text/html');
    expect(await publish(first.output())).toMatchObject({ ok: true, offset: 1 });
    expect(statSync(join(place.directory, 'local.json')).mode & 0o777).toBe(0o600);
    const { processes, secret } = first.state();
    expect(processes.map(({ name }) => name).sort()).toEqual(['nginx', 'node-1', 'node-2', 'postgres', 'redis']);
    first.child.kill('SIGINT');
    expect(await first.ended).toBe(0);
    await expectNothingLeft(processes);

    const second = await start();
    await second.printed('ready in');
    expect(second.state().secret).toBe(secret);
    expect(await publish(second.output())).toMatchObject({ ok: true, offset: 2 });
  });

  test('starts again after it was killed, and ends the processes that were left', async () => {
    const killed = await running();
    const { processes } = killed.state();
    killed.child.kill('SIGKILL');
    expect(await killed.ended).toBe('SIGKILL');
    const next = await start();
    await next.printed('ready in');
    expect(processes.filter(isRunning)).toEqual([]);
    expect(await publish(next.output())).toMatchObject({ ok: true });
  });

  test('runs once per directory', async () => {
    const first = await running();
    const other = place.start();
    expect(await other.ended).toBe(1);
    expect(other.output()).toContain(`already runs from ${place.directory} (pid ${first.child.pid})`);
  });

  test('names the part that ended unexpectedly, and stops the rest', async () => {
    const first = await running();
    const { processes } = first.state();
    const node = processes.find(({ name }) => name === 'node-2');
    process.kill(node?.pid ?? 0, 'SIGKILL');
    expect(await first.ended).toBe(1);
    expect(first.output()).toContain('node-2 ended unexpectedly (SIGKILL)');
    await expectNothingLeft(processes);
  });

  test('can be stopped while it starts; a second Ctrl-C soon after the first is ignored', async () => {
    const starting = await start();
    await eventually(() => expect(starting.state().processes.map(({ name }) => name)).toContain('node-1'), {
      intervalMs: 5,
    });
    const { processes } = starting.state();
    starting.child.kill('SIGINT');
    await sleep(20);
    starting.child.kill('SIGINT');
    expect(await starting.ended).toBe(0);
    await expectNothingLeft(processes);
  });

  test('names a port that is taken and the setting that changes it', async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(place.ports.balancer, '127.0.0.1', resolve));
    const refused = await start();
    expect(await refused.ended).toBe(1);
    expect(refused.output()).toMatch(
      new RegExp(`Port ${place.ports.balancer}, for the balancer, is taken.*PORT=\\d+ npm start`),
    );
    await new Promise((resolve) => blocker.close(resolve));
  });
});

describe('npm start on a machine without Redis and nginx', () => {
  test('runs without them, prints what is missing, and prints the addresses of the nodes', async () => {
    const bin = join(place.directory, 'bin');
    mkdirSync(bin);
    symlinkSync('/bin/sh', join(bin, 'sh'));
    const bare = await start({ PATH: bin });
    await bare.printed('ready in');
    const [a, b] = place.ports.nodes.map((port) => `http://127.0.0.1:${port}`);
    expect(bare.output()).toMatch(
      /Degraded, without Redis: redis-server is not on the PATH, and HOLDFAST_NO_INSTALL is set\./,
    );
    expect(bare.output()).toMatch(/No balancer: nginx is not on the PATH, and HOLDFAST_NO_INSTALL is set\./);
    expect(bare.output()).toContain(`&a=${encodeURIComponent(a ?? '')}&b=${encodeURIComponent(b ?? '')}`);
    expect(await publish(bare.output())).toMatchObject({ ok: true });
    const { processes } = bare.state();
    bare.child.kill('SIGINT');
    expect(await bare.ended).toBe(0);
    await expectNothingLeft(processes);
  });
});

describe('npm start with wrong arguments or settings', () => {
  test.each([
    ['an unknown option', {}, ['--prot', '1'], "unknown option '--prot'"],
    ['a bad port', { PORT: 'eighty' }, [], 'whole number from 1 to 65535'],
    ['a bad node setting', { LOG_LEVEL: 'loud' }, [], 'LOG_LEVEL'],
  ])('ends with code 2 on %s', async (_, env: Record<string, string>, args: string[], message) => {
    const refused = await start(env, args);
    expect(await refused.ended).toBe(2);
    expect(refused.output()).toContain(message);
  });

  test('--help names the settings', async () => {
    const help = await start({}, ['--help']);
    expect(await help.ended).toBe(0);
    expect(help.output()).toContain('DATABASE_URL');
  });
});
