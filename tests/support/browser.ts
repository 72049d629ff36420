/** Headless Chromium for the tests of pages. */
import { type Browser, chromium } from 'playwright-core';
import { findRequirement } from './programs.ts';

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launchBrowser(): Promise<Browser> {
  const executablePath = findRequirement('chromium');
  return chromium.launch({ ...(executablePath ? { executablePath } : {}), args: ARGS });
}
