/** A test that cannot run is skipped with its reason, the last lines say so, and only the strict setting makes it a failure. */
import { spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { ROOT } from '../../../infra/host/paths.ts';

// Typed here, since the configuration is JavaScript.
const { default: config } = (await import(`${ROOT}/jest.config.mjs`)) as { default: Record<string, unknown> };
const FIXTURE = {
  ...config,
  globalSetup: undefined,
  globalTeardown: undefined,
  testMatch: ['<rootDir>/tests/support/fixtures/skips.fixture.ts'],
};

function run(env: Readonly<Record<string, string>>) {
  const { HOLDFAST_TEST_STRICT: _, HOLDFAST_TEST_MAY_SKIP: __, ...inherited } = process.env;
  const args = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--config', JSON.stringify(FIXTURE)];
  const findings = { nginx: 'nginx is not installed', redis: null };
  const { status, stderr } = spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...inherited, CI: 'true', HOLDFAST_TEST_FINDINGS: JSON.stringify(findings), ...env },
  });
  return { status, lastLines: stderr.trim().split('\n').slice(-2) };
}

test('without the strict setting, also in CI', () => {
  const { status, lastLines } = run({});
  expect(status).toBe(0);
  expect(lastLines[0]).toMatch(/^ +2 skipped: nginx is not installed; /);
  expect(lastLines[1]).toBe('Total: 1 passed, 0 failed, 2 skipped');
});

test('with the strict setting', () => {
  const { status, lastLines } = run({ HOLDFAST_TEST_STRICT: '1' });
  expect(status).toBe(1);
  expect(lastLines[1]).toBe('Total: 1 passed, 1 failed, 0 skipped');
});

test('with the strict setting, where the requirement may be missing', () => {
  const { status, lastLines } = run({ HOLDFAST_TEST_STRICT: '1', HOLDFAST_TEST_MAY_SKIP: 'terraform,nginx' });
  expect(status).toBe(0);
  expect(lastLines[1]).toBe('Total: 1 passed, 0 failed, 2 skipped');
});
