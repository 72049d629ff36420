import { describe, expect, test } from '@jest/globals';
import { clientManifest, reachable } from '../../../../server/tools/client-package.ts';

const read = (files: Readonly<Record<string, string>>) => (path: string) =>
  path in files ? Promise.resolve(files[path] ?? '') : Promise.reject(new Error(`There is no ${path}.`));

describe('the package of the client', () => {
  test('takes version, license and engines from the repository, and depends on no package', () => {
    const root = { version: '1.2.3', license: 'MIT', engines: { node: '>=20' }, dependencies: { fastify: '1.0.0' } };
    const manifest = clientManifest(root);
    expect(manifest).toMatchObject({
      name: '@holdfast/client',
      version: '1.2.3',
      license: 'MIT',
      engines: root.engines,
    });
    expect(manifest).not.toHaveProperty('dependencies');
    expect(manifest).not.toHaveProperty('private');
  });

  test('contains the declarations that the public types import, with imports that resolve', async () => {
    const files = {
      'client/browser.d.ts': "import type { A } from './types.ts';\nexport * from '../protocol/codes.ts';\n",
      'client/types.d.ts': "import type { Code } from '../protocol/codes.ts';\n",
      'protocol/codes.d.ts': 'export type Code = string;\n',
      'client/internal.d.ts': "import type { B } from './browser.ts';\n",
    };
    const found = await reachable('client/browser.d.ts', read(files));
    expect([...found.keys()]).toEqual(['client/browser.d.ts', 'client/types.d.ts', 'protocol/codes.d.ts']);
    expect(found.get('client/types.d.ts')).toBe("import type { Code } from '../protocol/codes.js';\n");
  });

  test('refuses public types that import a package', async () => {
    const files = { 'client/browser.d.ts': "import type { Data } from 'ws';\n" };
    await expect(reachable('client/browser.d.ts', read(files))).rejects.toThrow('client/browser.d.ts imports ws');
  });
});
