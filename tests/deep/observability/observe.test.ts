/** `npm run observe` as a user runs it: one command, and Chromium draws every panel of every dashboard. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { ALL_BOARDS } from '../../../dashboards/boards/index.ts';
import { panelsOf } from '../../../dashboards/lib/panel.ts';
import { freePorts } from '../../../infra/host/ports.ts';
import { launchBrowser } from '../../support/browser.ts';
import { type Launcher, type LauncherPlace, launcherPlace } from '../../support/launcher.ts';
import { describeWith } from '../../support/requirements.ts';

describeWith(
  'chromium',
  'nginx',
  'redis',
  'prometheus',
)('npm run observe', () => {
  let place: LauncherPlace;
  let running: Launcher;
  let browser: Browser;
  let page: Page;
  let pageUrl = '';
  let prometheusUrl = '';
  const problems: string[] = [];

  beforeAll(async () => {
    place = await launcherPlace();
    const [pagePort = 0, prometheusPort = 0, grafanaPort = 0] = await freePorts(3);
    const ports = [
      ...['--page-port', String(pagePort)],
      ...['--prometheus-port', String(prometheusPort)],
      ...['--grafana-port', String(grafanaPort)],
    ];
    running = place.start({}, [...ports, '--users', '10', '--messages', '20'], 'infra/local/observe/main.ts');
    await running.printed('Prometheus http');
    pageUrl = `http://127.0.0.1:${pagePort}`;
    prometheusUrl = `http://127.0.0.1:${prometheusPort}`;
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1500, height: 1000 } });
    page.on('console', (line) => {
      if (line.type() === 'error') problems.push(line.text());
    });
    page.on('pageerror', (error) => problems.push(String(error)));
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    running?.child.kill('SIGTERM');
    await running?.ended;
    place?.remove();
  }, 60_000);

  async function screenshot(name: string): Promise<void> {
    const directory = process.env.HOLDFAST_SCREENSHOTS;
    if (!directory) return;
    mkdirSync(directory, { recursive: true });
    await page.screenshot({ path: join(directory, `${name}.png`), fullPage: true });
  }

  test('prints the address of the dashboards', () => {
    expect(running.output()).toContain(`Dashboards ${pageUrl}/`);
    expect(running.output()).toContain('Holdfast is running.');
  });

  test.each(ALL_BOARDS.map((board) => [board.name, board] as const))(
    'draws every panel of %s',
    async (name, board) => {
      await page.goto(`${pageUrl}/d/holdfast-${name}`);
      await page.waitForSelector('body[data-ready]');
      for (const panel of panelsOf(board)) {
        const figure = page.locator(`figure[data-panel="${panel.title}"]`);
        await page.waitForFunction(
          (title) => Number(document.querySelector<HTMLElement>(`figure[data-panel="${title}"]`)?.dataset.series) > 0,
          panel.title,
          { timeout: 40_000 },
        );
        expect(await figure.locator('p').textContent()).toBe(panel.description.replaceAll('`', ''));
        // The page draws the series that it reports.
        const drawn = panel.kind === 'value' ? '.value' : panel.kind === 'table' ? 'td' : 'svg path';
        expect(await figure.locator(drawn).count()).toBeGreaterThan(0);
      }
      await screenshot(`observe-${name}`);
      expect(problems).toEqual([]);
    },
    120_000,
  );

  test('links to the other boards and to the runbooks', async () => {
    await page.goto(pageUrl);
    await page.waitForSelector('body[data-ready]');
    await page.getByRole('navigation').getByRole('link', { name: 'redis' }).click();
    await page.waitForURL(/holdfast-redis$/);
    const runbook = page.locator('figure a').first();
    const response = await page.request.get(`${pageUrl}${await runbook.getAttribute('href')}`);
    expect(await response.text()).toContain('# HoldfastRedisDown');
    expect((await page.request.get(`${pageUrl}/runbooks/alerts/..%2f..%2fpackage.md`)).status()).toBe(404);
  });

  test('loads the alert rules, and only the watchdog fires', async () => {
    const { data } = (await (await fetch(`${prometheusUrl}/api/v1/alerts`)).json()) as {
      data: { alerts: { state: string; labels: { alertname: string }; annotations: { runbook_url: string } }[] };
    };
    const firing = data.alerts.filter(({ state }) => state === 'firing');
    expect(firing.map(({ labels }) => labels.alertname)).toEqual(['Watchdog']);
    expect(firing[0]?.annotations.runbook_url).toBe(`${pageUrl}/runbooks/alerts/Watchdog.md`);
  });

  test('ends with exit code 0 on SIGINT', async () => {
    running.child.kill('SIGINT');
    expect(await running.ended).toBe(0);
  }, 60_000);
});
