/**
 * The demo page in Chromium, against two nodes behind nginx: what a visitor does, and that the verdict line of the page
 * counts no loss while connections are dropped under load. HOLDFAST_SCREENSHOTS names a directory for screenshots.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Locator, Page } from 'playwright-core';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { launchBrowser } from '../../support/browser.ts';
import { startTestCluster } from '../../support/cluster.ts';
import { describeWith } from '../../support/requirements.ts';

const SETTLE_MS = 40_000;

describeWith(
  'chromium',
  'nginx',
  'redis',
)('demo page', () => {
  let cluster: Cluster;
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    cluster = await startTestCluster({
      nodes: 2,
      redis: true,
      nginx: true,
      env: { DEMO_PAGE: 'true', COMMAND_RATE: '100' },
    });
    browser = await launchBrowser();
    page = await open(1200, 900);
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await cluster?.stop();
  }, 60_000);

  async function open(width: number, height: number, colorScheme: 'light' | 'dark' = 'light'): Promise<Page> {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme });
    const opened = await context.newPage();
    opened.on('console', (line) => {
      if (line.type() === 'error') problems.push(line.text());
    });
    opened.on('pageerror', (error) => problems.push(String(error)));
    const token = await cluster.token({ user: 'ada' });
    const other = await cluster.token({ user: 'grace' });
    await opened.goto(`${cluster.url}/#token=${token}&token_b=${other}`);
    for (const pane of ['a', 'b']) await waitForText(within(opened, pane, 'offset'), /^\d+$/);
    return opened;
  }

  function within(of: Page, pane: string, id: string): Locator {
    return of.getByTestId(`pane-${pane}`).getByTestId(id);
  }

  async function waitForText(locator: Locator, pattern: RegExp, timeoutMs = SETTLE_MS): Promise<string> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const text = (await locator.textContent()) ?? '';
      if (pattern.test(text)) return text;
      if (Date.now() > deadline) throw new Error(`Waited ${timeoutMs} ms for ${pattern}; the text is: ${text}`);
      await page?.waitForTimeout(50);
    }
  }

  /** Offset of the message with this text, in a pane. */
  async function offsetOf(pane: string, text: string): Promise<string> {
    const row = within(page, pane, 'messages').locator('li', { hasText: text });
    await row.waitFor();
    return (await row.getAttribute('data-offset')) ?? '';
  }

  async function floodFor(ms: number, meanwhile: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
    await page.getByTestId('flood').click();
    await Promise.all([page.waitForTimeout(ms), meanwhile()]);
    await page.getByTestId('flood').click();
  }

  /** The verdict, once every message sent has been acknowledged and received. */
  async function verdict(): Promise<{ sent: number; received: number[]; rest: string }> {
    await page.waitForTimeout(300);
    const settled = /^sent (\d+), received (\d+)\/(\d+), (lost \d+, duplicated \d+, out of order \d+)$/;
    const text = await waitForText(page.getByTestId('verdict'), settled);
    const [, sent, left, right, rest = ''] = settled.exec(text) ?? [];
    return { sent: Number(sent), received: [Number(left), Number(right)], rest };
  }

  async function screenshot(name: string, of: Page): Promise<void> {
    const directory = process.env.HOLDFAST_SCREENSHOTS;
    if (!directory) return;
    mkdirSync(directory, { recursive: true });
    await of.screenshot({ path: join(directory, `${name}.png`), fullPage: true });
  }

  test('opens two panes on two nodes, and removes the token from the address bar', async () => {
    const nodes = await Promise.all(['a', 'b'].map((pane) => waitForText(within(page, pane, 'node'), /\w{3}/)));
    expect(new Set(nodes).size).toBe(2);
    expect(page.url()).not.toContain('token');
    expect(await page.getByTestId('notice').isVisible()).toBe(false);
    await waitForText(within(page, 'a', 'present'), /^ada, grace$/);
    await waitForText(within(page, 'b', 'present'), /^ada, grace$/);
  });

  test.each(['send-ws', 'send-http'])('%s: the message is in both panes with the same offset', async (button) => {
    const text = `<b>hello</b> by ${button}`;
    await within(page, 'a', 'text').fill(text);
    await within(page, 'a', button).click();
    expect(await offsetOf('a', text)).toBe(await offsetOf('b', text));
    expect(await page.locator('.messages b').count()).toBe(0);
  });

  test('typing in one pane is shown in the other, and disappears', async () => {
    await within(page, 'a', 'text').pressSequentially('hel', { delay: 30 });
    await waitForText(within(page, 'b', 'typing'), /^ada is typing/);
    await screenshot('desktop-typing', page);
    await waitForText(within(page, 'b', 'typing'), /^$/);
    await within(page, 'a', 'text').fill('');
  });

  test('a flood of more than 200 messages loses, doubles and reorders nothing', async () => {
    await floodFor(3_000);
    const { sent, received, rest } = await verdict();
    expect(sent).toBeGreaterThan(200);
    expect(received).toEqual([sent, sent]);
    expect(rest).toBe('lost 0, duplicated 0, out of order 0');
    await waitForText(within(page, 'a', 'p99'), /^[\d.]+ ms$/);
    await screenshot('desktop-flood', page);
  });

  test('connections dropped during a flood are recovered without loss', async () => {
    await floodFor(2_500, async () => {
      for (const pane of ['a', 'b', 'a']) {
        await page.waitForTimeout(600);
        const drop = within(page, pane, 'drop');
        if (await drop.isEnabled()) await drop.click();
      }
    });
    const { sent, received, rest } = await verdict();
    expect(received).toEqual([sent, sent]);
    expect(rest).toBe('lost 0, duplicated 0, out of order 0');
    expect(Number(await within(page, 'a', 'recovered').textContent())).toBeGreaterThan(0);
    expect(Number(await within(page, 'b', 'recovered').textContent())).toBeGreaterThan(0);
    await screenshot('desktop-recovered', page);
  });

  test('a flood over the rate limit of a connection is slowed down to it, and loses nothing', async () => {
    await page.getByTestId('rate').fill('500');
    // 250/s for the connection of each pane, which may send 100/s.
    await floodFor(2_500);
    await waitForText(page.getByTestId('verdict'), /waiting for ack/);
    const { sent, received, rest } = await verdict();
    expect(sent).toBeGreaterThan(900);
    expect(received).toEqual([sent, sent]);
    expect(rest).toBe('lost 0, duplicated 0, out of order 0');
    await page.getByTestId('rate').fill('100');
  });

  test('a node that is killed during a flood loses no acknowledged message', async () => {
    const before = await within(page, 'a', 'node').textContent();
    await floodFor(2_500, async () => {
      await page.waitForTimeout(800);
      await cluster.node(0).process.stop('SIGKILL', 5_000);
    });
    const { sent, received, rest } = await verdict();
    expect(received).toEqual([sent, sent]);
    expect(rest).toBe('lost 0, duplicated 0, out of order 0');
    expect(await page.getByTestId('notice').textContent()).toContain('Both panes are on node');
    expect(before).toMatch(/\w/);
    await cluster.node(0).restart();
  });

  test('on a phone the panes are stacked, and the page does not scroll sideways', async () => {
    for (const scheme of ['light', 'dark'] as const) {
      const phone = await open(360, 740, scheme);
      await within(phone, 'a', 'text').fill('a-rather-long-word-without-any-place-to-break-it-'.repeat(4));
      await within(phone, 'a', 'send-ws').click();
      await within(phone, 'b', 'messages').locator('li').first().waitFor();
      await waitForText(phone.getByTestId('verdict'), /^sent 1, received 1\/1, lost 0/);
      const [content, window] = await phone.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      expect(content).toBeLessThanOrEqual(window ?? 0);
      const [first, second] = await Promise.all(
        ['a', 'b'].map((pane) => phone.getByTestId(`pane-${pane}`).boundingBox()),
      );
      expect(second?.y).toBeGreaterThanOrEqual((first?.y ?? 0) + (first?.height ?? 0));
      await screenshot(`phone-${scheme}`, phone);
      await phone.context().close();
    }
  });

  test('no script failed, and the content security policy refused nothing', () => {
    const expected =
      /WebSocket connection to|Failed to load resource: (net::ERR_|the server responded with a status of 50)/;
    expect(problems.filter((problem) => !expected.test(problem))).toEqual([]);
  });
});
