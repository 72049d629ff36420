/** A node works and stops whether or not its log is read. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ROOT, SERVER_MAIN } from '../../../infra/host/paths.ts';
import { createDatabase, type TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/wait.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database?.drop());

async function start() {
  const node = spawn(process.execPath, [SERVER_MAIN], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      PATH: process.env.PATH ?? '',
      DATABASE_URL: database.url,
      AUTH_JWT_SECRET: 's'.repeat(32),
      HOST: '127.0.0.1',
      PORT: '0',
      METRICS_PORT: '0',
    },
  });
  let output = '';
  node.stdout.on('data', (data: Buffer) => {
    output += data;
  });
  const port = await eventually(() => {
    const line = /.*"msg":"Serving\."/.exec(output)?.[0];
    if (line === undefined) throw new Error(`The node does not serve: ${output}`);
    return Number(/"port":(\d+)/.exec(line)?.[1]);
  });
  return { node, port, output: () => output };
}

test('the last lines are written before the process exits', async () => {
  const { node, output } = await start();
  node.kill('SIGTERM');
  expect(await once(node, 'close')).toEqual([0, null]);
  expect(output()).toMatch(/"msg":"Stopped\."\}\n$/);
});

test('without a reader of its log, a node serves and stops on SIGTERM', async () => {
  const { node, port } = await start();
  const ended = once(node, 'exit');
  node.stdout.destroy();
  expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  node.kill('SIGTERM');
  const last = setTimeout(() => node.kill('SIGKILL'), 15_000);
  expect(await ended).toEqual([0, null]);
  clearTimeout(last);
}, 60_000);

test('after a slow reader has caught up, the log says how many lines were dropped', async () => {
  const script = `
    const { createLogger } = await import(${JSON.stringify(join(ROOT, 'server', 'logger.ts'))});
    const log = createLogger('info', 'node');
    for (let i = 0; i < 30_000; i++) log.info({ text: 'x'.repeat(100) }, 'line');
    setTimeout(() => log.info('end'), 1_000);`;
  const writer = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  writer.stdout.on('data', (data: Buffer) => {
    output += data;
  });
  expect(await once(writer, 'close')).toEqual([0, null]);
  const lines = output.trim().split('\n');
  const { lines: dropped } = JSON.parse(lines.find((line) => line.includes('lines were dropped')) ?? '{}');
  expect(lines.filter((line) => line.includes('"msg":"line"')).length + dropped).toBe(30_000);
  expect(lines.at(-1)).toContain('"msg":"end"');
});
