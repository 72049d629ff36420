import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { canEnter, canExecute, reachableDirectory, unprivilegedUser } from '../../../../infra/host/unprivileged.ts';
import { describeWith } from '../../../support/requirements.ts';

const user = unprivilegedUser();
const closed = mkdtempSync(join(tmpdir(), 'holdfast-closed-'));
afterAll(() => rmSync(closed, { recursive: true }));

describeWith('root')('a directory that is closed to other users', () => {
  test('cannot be entered by the user that runs PostgreSQL', () => {
    expect(canEnter(user, closed)).toBe(false);
    expect(canEnter(user, tmpdir())).toBe(true);
  });

  test('is replaced, for data, by a system directory that only this checkout uses', () => {
    const preferred = join(closed, 'state', 'postgres');
    const directory = reachableDirectory(user, preferred);
    try {
      expect(directory).not.toContain(closed);
      expect(reachableDirectory(user, preferred)).toBe(directory);
      expect(reachableDirectory(user, join(closed, 'other', 'postgres'))).not.toBe(directory);
      expect(canEnter(user, dirname(directory))).toBe(true);
    } finally {
      for (const state of ['state', 'other'])
        rmSync(dirname(reachableDirectory(user, join(closed, state, 'postgres'))), { recursive: true });
    }
  });
});

describe('without a user to switch to', () => {
  test('data uses the preferred directory, and programs run as the current user', () => {
    const preferred = join(closed, 'mine', 'postgres');
    expect(reachableDirectory(undefined, preferred)).toBe(preferred);
    expect(existsSync(dirname(preferred))).toBe(true);
    expect(canExecute(undefined, process.execPath)).toBe(true);
    mkdirSync(preferred);
    expect(canExecute(undefined, preferred)).toBe(false);
  });
});
