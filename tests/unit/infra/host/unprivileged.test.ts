import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { canEnter, canExecute, reachableDirectory, unprivilegedUser } from '../../../../infra/host/unprivileged.ts';

const user = unprivilegedUser();
// Only root can be somebody else, and only then is there anything to tell apart.
const asRoot = user ? describe : describe.skip;
const closed = mkdtempSync(join(tmpdir(), 'holdfast-closed-'));
afterAll(() => rmSync(closed, { recursive: true }));

asRoot('a directory closed to others (as /root is)', () => {
  test('cannot be entered by the user of PostgreSQL', () => {
    expect(canEnter(user, closed)).toBe(false);
    expect(canEnter(user, tmpdir())).toBe(true);
  });

  test('is not where its data goes: that is a directory of this checkout alone', () => {
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
  test('data goes where it was asked for, and programs are tried as they are', () => {
    const preferred = join(closed, 'mine', 'postgres');
    expect(reachableDirectory(undefined, preferred)).toBe(preferred);
    expect(existsSync(dirname(preferred))).toBe(true);
    expect(canExecute(undefined, process.execPath)).toBe(true);
    mkdirSync(preferred);
    expect(canExecute(undefined, preferred)).toBe(false);
  });
});
