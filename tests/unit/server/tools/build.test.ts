import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ROOT } from '../../../../infra/host/paths.ts';
import { build, FINGERPRINT } from '../../../../server/tools/build.ts';
import { ensureBuilt } from '../../../../server/tools/build-cache.ts';

describe('the build', () => {
  test('two builds at the same time leave all files that a node and the demo page need', async () => {
    rmSync(FINGERPRINT, { force: true });
    await Promise.all([ensureBuilt(), ensureBuilt()]);
    for (const path of ['server/main.js', 'server/package.json', 'server/probe/main.js', 'server/public/client.js']) {
      expect(existsSync(join(ROOT, 'dist', path))).toBe(true);
    }
    for (const directory of ['history/migrations', 'public']) {
      const built = readdirSync(join(ROOT, 'dist', 'server', directory));
      expect(built).toEqual(expect.arrayContaining(readdirSync(join(ROOT, 'server', directory))));
      expect(built.filter((name) => name.endsWith('.tmp'))).toEqual([]);
    }
  });

  test('a build of the same sources is not repeated', async () => {
    const main = join(ROOT, 'dist', 'server', 'main.js');
    await ensureBuilt();
    const { ino } = statSync(main);
    await ensureBuilt();
    expect(statSync(main).ino).toBe(ino);
  });

  test('a build by itself removes the fingerprint', async () => {
    await ensureBuilt();
    await build();
    expect(existsSync(FINGERPRINT)).toBe(false);
  });
});
