/**
 * The demo page in Chromium, against two nodes behind nginx: what a visitor does, and that the verdict line of the page
 * counts no loss while connections are dropped under load. HOLDFAST_SCREENSHOTS names a directory for screenshots.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Locator, Page } from 'playwright-core';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { launchBrowser } from '../../support/browser.ts';
import { startTestCluster } from '../../support/cluster.ts';
import { describeWith } from '../../support/requirements.ts';

/** A wait fails when the text that it reads has not changed for this long. A slow machine makes progress, and passes. */
const STALLED_MS = 20_000;
/** Time for a flood. It takes a tenth of it where the machine has nothing else to do. */
const FLOOD_TIMEOUT_MS = 120_000;
const COMMAND_RATE = 100;

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
      env: { DEMO_PAGE: 'true', COMMAND_RATE: String(COMMAND_RATE) },
    });
    browser = await launchBrowser();
    page = await open(1200, 900);
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await cluster?.stop();
  }, 60_000);

  async function open(width: number, height: number): Promise<Page> {
    const context = await browser.newContext({ viewport: { width, height } });
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

  async function waitForText(locator: Locator, wanted: RegExp | ((text: string) => boolean)): Promise<string> {
    const done = typeof wanted === 'function' ? wanted : (text: string) => wanted.test(text);
    let last: string | undefined;
    let changedAt = Date.now();
    for (;;) {
      const text = (await locator.textContent()) ?? '';
      if (done(text)) return text;
      if (text !== last) changedAt = Date.now();
      if (Date.now() - changedAt > STALLED_MS)
        throw new Error(`Waited for ${wanted}; for ${STALLED_MS} ms the text has been: ${text}`);
      last = text;
      await setTimeout(50);
    }
  }

  /** Offset of the message with this text, in a pane. */
  async function offsetOf(pane: string, text: string): Promise<string> {
    const row = within(page, pane, 'messages').locator('li', { hasText: text });
    await row.waitFor();
    return (await row.getAttribute('data-offset')) ?? '';
  }

  /** Follows a channel of its own, so that the verdict counts this test alone. */
  async function follow(channel: string): Promise<void> {
    await page.getByTestId('channel').fill(channel);
    await page.getByTestId('follow').click();
    for (const pane of ['a', 'b']) await waitForText(within(page, pane, 'offset'), /^0$/);
  }

  /** Waits until the flood has published this many messages, acknowledged or not. */
  async function published(count: number): Promise<void> {
    await waitForText(page.getByTestId('verdict'), (text) => {
      const numbers = [/^sent (\d+)/, /(\d+) waiting/, /(\d+) not acknowledged/].map((part) => part.exec(text)?.[1]);
      return numbers.reduce((sum, number) => sum + Number(number ?? 0), 0) >= count;
    });
  }

  /** Floods until at least `count` messages have been published, and `meanwhile` is done. */
  async function flood(perSecond: number, count: number, meanwhile?: () => Promise<unknown>): Promise<void> {
    await page.getByTestId('rate').fill(String(perSecond));
    await page.getByTestId('flood').click();
    await Promise.all([published(count), meanwhile?.()]);
    // Unlike `click()`, this does not wait for frames, which on a slow machine would double the flood.
    await page.getByTestId('flood').dispatchEvent('click');
  }

  /** The verdict, once every message sent has been acknowledged and received. The page updates it when a flood stops. */
  async function verdict(): Promise<{ sent: number; received: number[]; rest: string }> {
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

  test(
    'a flood of more than 200 messages loses, doubles and reorders nothing',
    async () => {
      await follow('room:flood');
      await flood(200, 250);
      const { sent, received, rest } = await verdict();
      expect(sent).toBeGreaterThanOrEqual(250);
      expect(received).toEqual([sent, sent]);
      expect(rest).toBe('lost 0, duplicated 0, out of order 0');
      await waitForText(within(page, 'a', 'p99'), /^[\d.]+ ms$/);
      await screenshot('desktop-flood', page);
    },
    FLOOD_TIMEOUT_MS,
  );

  test(
    'connections dropped during a flood are recovered without loss',
    async () => {
      await follow('room:dropped');
      await flood(100, 200, async () => {
        for (const [pane, count] of [
          ['a', 50],
          ['b', 100],
          ['a', 150],
        ] as const) {
          await published(count);
          await within(page, pane, 'drop').click();
        }
      });
      const { sent, received, rest } = await verdict();
      expect(received).toEqual([sent, sent]);
      expect(rest).toBe('lost 0, duplicated 0, out of order 0');
      for (const pane of ['a', 'b']) await waitForText(within(page, pane, 'recovered'), /^[1-9]/);
      await screenshot('desktop-recovered', page);
    },
    FLOOD_TIMEOUT_MS,
  );

  test(
    'a flood over the rate limit of a connection is slowed down to it, and loses nothing',
    async () => {
      await follow('room:limited');
      const startedAt = performance.now();
      // 250/s for the connection of each pane, which may send 100/s after a burst of 200.
      await flood(500, 900);
      const { sent, received, rest } = await verdict();
      const tookMs = performance.now() - startedAt;
      expect(sent).toBeGreaterThanOrEqual(900);
      expect(received).toEqual([sent, sent]);
      expect(rest).toBe('lost 0, duplicated 0, out of order 0');
      const perConnection = Math.floor(sent / 2);
      expect(tookMs).toBeGreaterThan(((perConnection - 2 * COMMAND_RATE) / COMMAND_RATE) * 1_000);
    },
    FLOOD_TIMEOUT_MS,
  );

  test('on a phone the panes are stacked, and the page does not scroll sideways', async () => {
    const phone = await open(360, 740);
    await within(phone, 'a', 'text').fill('a-rather-long-word-without-any-place-to-break-it-'.repeat(4));
    await within(phone, 'a', 'send-ws').click();
    await within(phone, 'b', 'messages').locator('li').first().waitFor();
    await waitForText(phone.getByTestId('verdict'), /^sent 1, received 1\/1, lost 0/);
    for (const colorScheme of ['light', 'dark'] as const) {
      await phone.emulateMedia({ colorScheme });
      const [content, window] = await phone.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      expect(content).toBeLessThanOrEqual(window ?? 0);
      const [first, second] = await Promise.all(
        ['a', 'b'].map((pane) => phone.getByTestId(`pane-${pane}`).boundingBox()),
      );
      expect(second?.y).toBeGreaterThanOrEqual((first?.y ?? 0) + (first?.height ?? 0));
      await screenshot(`phone-${colorScheme}`, phone);
    }
    await phone.context().close();
  });

  test(
    'a node that is killed during a flood loses no acknowledged message',
    async () => {
      await follow('room:killed');
      await flood(100, 200, async () => {
        await published(50);
        await cluster.node(0).process.stop('SIGKILL', 5_000);
      });
      const { sent, received, rest } = await verdict();
      expect(received).toEqual([sent, sent]);
      expect(rest).toBe('lost 0, duplicated 0, out of order 0');
      await waitForText(page.getByTestId('notice'), /Both panes are on node/);
    },
    FLOOD_TIMEOUT_MS,
  );

  test('no script failed, and the content security policy refused nothing', () => {
    const expected =
      /WebSocket connection to|Failed to load resource: (net::ERR_|the server responded with a status of 50)/;
    expect(problems.filter((problem) => !expected.test(problem))).toEqual([]);
  });
});
