/** The installed client package at work against a real cluster: on Node, on Node 24, in Chromium, and as documented. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build, transform } from 'esbuild';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { launchBrowser } from '../../support/browser.ts';
import { ClientProject } from '../../support/client/project.ts';
import { DOCUMENTS, readmeSample, SAMPLE_URL } from '../../support/client/readme.ts';
import { SAMPLE } from '../../support/client/sample.ts';
import { startTestCluster } from '../../support/cluster.ts';
import { node24 } from '../../support/node-24.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually } from '../../support/wait.ts';

const EXCHANGED = { user: 'ada', live: [1, 2, 3], recovered: [2, 3], refusal: 'already_subscribed' };
/** The Node that started the test run: the deep tests themselves run on Node 24. */
const MACHINE_NODE = process.env.HOLDFAST_MACHINE_NODE ?? process.execPath;
/** The flag that removes the global WebSocket where Node has one; Node 20 has none. */
const WITHOUT_WEBSOCKET = execFileSync(MACHINE_NODE, ['-p', 'typeof WebSocket'], { encoding: 'utf8' }).startsWith('f')
  ? ['--no-experimental-websocket']
  : [];

interface Sample {
  exchange(url: string, token: string, channel: string): Promise<typeof EXCHANGED>;
}

let project: ClientProject;
let page: Server;
let cluster: Cluster;
let token: string;

beforeAll(async () => {
  page = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<!doctype html>'));
  await once(page.listen(0, '127.0.0.1'), 'listening');
  [project, cluster] = await Promise.all([
    new ClientProject().install(),
    startTestCluster({ env: { ALLOWED_ORIGINS: origin() } }),
  ]);
  token = await cluster.token({ user: 'ada' });
  const { code } = await transform(SAMPLE, { loader: 'ts' });
  project.write('sample.js', code);
  for (const name of ['exchange', 'failure'])
    project.write(
      `${name}.js`,
      `import { ${name} } from './sample.js';\nconsole.log(JSON.stringify(await ${name}(...process.argv.slice(2))));\n`,
    );
}, 120_000);
afterAll(async () => {
  await cluster?.stop();
  page?.close();
  project?.remove();
}, 60_000);

const origin = () => `http://127.0.0.1:${(page.address() as AddressInfo).port}`;

const exchangeOn = (node: string, flags: readonly string[], channel: string) =>
  project.run(node, [...flags, 'exchange.js', cluster.url, token, channel]);

describe('on Node', () => {
  test('without a global WebSocket and without ws, connect rejects with the command that fixes it', async () => {
    const { code, output } = await project.run(MACHINE_NODE, [...WITHOUT_WEBSOCKET, 'failure.js', cluster.url, token]);
    expect([code, output]).toEqual([0, expect.stringMatching(/^"websocket_missing: .*npm install ws"\n$/)]);
  });

  test('with ws, messages are published, received and recovered, and the process ends', async () => {
    project.link('ws');
    const { code, output } = await exchangeOn(MACHINE_NODE, WITHOUT_WEBSOCKET, 'on:node');
    expect([code, JSON.parse(output)]).toEqual([0, EXCHANGED]);
  });
});

describeWith('node24')('on Node 24', () => {
  test('ws is not needed', async () => {
    const { code, output } = await exchangeOn(node24(), [], 'on:node-24');
    expect([code, JSON.parse(output)]).toEqual([0, EXCHANGED]);
  });
});

describe('the sample of a document', () => {
  test.each(DOCUMENTS)('%s: it runs as printed, and stores its message', async (document) => {
    project.link('ws');
    const { code } = await transform(readmeSample(document).replace(SAMPLE_URL, cluster.url), { loader: 'ts' });
    const setUp = project.write('set-up.js', 'globalThis.fetchTokenFromYourBackend = async () => process.env.TOKEN;\n');
    const program = project.write('readme.js', code);
    const child = spawn(process.execPath, ['--import', setUp, program], { env: { ...process.env, TOKEN: token } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
    try {
      await eventually(() => expect(output).toMatch(/^stored at \d+$/m));
      await eventually(() => expect(output).toMatch(/^\d+ ada \{ text: 'hello' \}$/m));
      expect(output).not.toMatch(/error/i);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

describeWith('chromium')('in a browser', () => {
  test('the bundle exchanges messages from a page of another origin', async () => {
    const { outputFiles } = await build({
      stdin: { contents: SAMPLE, loader: 'ts', resolveDir: project.directory },
      absWorkingDir: project.directory,
      outfile: join(project.directory, 'bundle.js'),
      bundle: true,
      platform: 'browser',
      format: 'iife',
      globalName: 'sample',
      write: false,
    });
    const browser = await launchBrowser();
    try {
      const opened = await browser.newPage();
      await opened.goto(origin());
      await opened.addScriptTag({ content: outputFiles[0]?.text ?? '' });
      const exchanged = await opened.evaluate(
        ([url, secret, channel]) => (globalThis as unknown as { sample: Sample }).sample.exchange(url, secret, channel),
        [cluster.url, token, 'in:browser'] as const,
      );
      expect(exchanged).toEqual(EXCHANGED);
    } finally {
      await browser.close();
    }
  });
});
