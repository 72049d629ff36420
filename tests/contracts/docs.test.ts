/** Documents match the tree and the code: no stale part, no broken link, no undocumented setting, metric or script. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ROOT } from '../../infra/host/paths.ts';
import { SETTINGS } from '../../server/config.ts';
import { CLOSE_CODES, ERROR_CODES } from '../../server/protocol/codes.ts';
import { COMMANDS } from '../../server/protocol/schemas.ts';
import { METRICS } from '../../server/telemetry/catalogue.ts';
import { renderDocs } from '../../server/tools/docs.ts';

const read = (path: string) => readFile(join(ROOT, path), 'utf8');
const tracked = () =>
  execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n');
const documents = () => tracked().filter((path) => path.endsWith('.md') && existsSync(join(ROOT, path)));

describe('documents', () => {
  test('generated parts are up to date (npm run docs)', async () => {
    for (const [path, content] of await renderDocs()) expect([path, await read(path)]).toEqual([path, content]);
  });

  test('the protocol document has every command, push, error code and close code', async () => {
    const text = await read('server/PROTOCOL.md');
    const pushes = [...(await read('server/protocol/messages.ts')).matchAll(/^ {2}type: '(\w+)';/gm)].map(
      (match) => match[1] as string,
    );
    expect(pushes.length).toBeGreaterThanOrEqual(11);
    const codes = Object.values(CLOSE_CODES).map((info) => String(info.code));
    for (const word of [...Object.keys(COMMANDS), ...pushes, ...Object.keys(ERROR_CODES)])
      expect(text).toContain(`\`${word}\``);
    for (const code of codes) expect(text).toContain(`| ${code} |`);
  });

  test('the server document has every setting and metric', async () => {
    const text = await read('server/README.md');
    for (const name of Object.keys(SETTINGS)) expect(text).toContain(`\`${name}\``);
    for (const name of Object.keys(METRICS)) expect(text).toContain(`\`${name.replaceAll('.', '_')}`);
  });

  test('relative links resolve', async () => {
    const broken: string[] = [];
    for (const path of documents()) {
      for (const [, target] of (await read(path)).matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)) {
        if (!existsSync(join(ROOT, dirname(path), target as string))) broken.push(`${path}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  test('files and folders of the server that its document names exist', async () => {
    const names = [...(await read('server/README.md')).matchAll(/`([a-z-]+\/[\w./-]*)`/g)].map(
      (match) => match[1] as string,
    );
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !existsSync(join(ROOT, 'server', name)))).toEqual([]);
  });

  test('the README describes every npm script, and names no others', async () => {
    const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> };
    const text = await read('README.md');
    for (const name of Object.keys(scripts)) {
      const command = name === 'start' || name === 'test' ? `npm ${name}` : `npm run ${name}`;
      expect(text).toContain(`| \`${command}\` |`);
    }
    const named = [...text.matchAll(/npm run (?:--silent )?([a-z:]+)/g)].map((match) => match[1] as string);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  test('the project names no path of a machine and no registry', async () => {
    const suspicious = /\/work\/|\/root\/|registry\.npmjs/;
    const found: string[] = [];
    for (const path of tracked()) {
      if (
        path === 'tests/contracts/docs.test.ts' ||
        /\.(png|lock)$|package-lock/.test(path) ||
        !existsSync(join(ROOT, path))
      )
        continue;
      if (suspicious.test(await read(path))) found.push(path);
    }
    expect(found).toEqual([]);
  });
});
