import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ROOT } from '../../../../infra/host/paths.ts';
import { build } from '../../../../server/tools/build.ts';

describe('the build', () => {
  test('two builds at the same time leave all files that a node and the demo page need', async () => {
    await Promise.all([build(), build()]);
    for (const path of ['server/main.js', 'server/package.json', 'server/probe/main.js', 'server/public/client.js']) {
      expect(existsSync(join(ROOT, 'dist', path))).toBe(true);
    }
    for (const directory of ['history/migrations', 'public']) {
      const built = readdirSync(join(ROOT, 'dist', 'server', directory));
      expect(built).toEqual(expect.arrayContaining(readdirSync(join(ROOT, 'server', directory))));
      expect(built.filter((name) => name.endsWith('.tmp'))).toEqual([]);
    }
  });
});
