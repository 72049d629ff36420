import { expect, test } from '@jest/globals';
import { decode, encode } from '@jridgewell/sourcemap-codec';
import { withoutPackages } from '../../../../server/tools/source-map.ts';

test('positions of packages are dropped, and do not fall to the code before them', () => {
  const mappings = encode([
    [[0, 0, 4, 0]],
    [
      [0, 1, 7, 0],
      [5, 1, 7, 5],
      [9, 0, 8, 2],
      [12, 1, 9, 0],
      [20, 2, 9, 3],
    ],
  ]);
  const sources = ['../node_modules/ws/lib/a.js', 'server/main.ts', 'server/node.ts'];
  const map = JSON.parse(withoutPackages(JSON.stringify({ version: 3, sources, names: [], mappings })));
  expect(map).toMatchObject({ version: 3, sources: ['server/main.ts', 'server/node.ts'] });
  expect(decode(map.mappings)).toEqual([[], [[0, 0, 7, 0], [5, 0, 7, 5], [9], [12, 0, 9, 0], [20, 1, 9, 3]]]);
});
