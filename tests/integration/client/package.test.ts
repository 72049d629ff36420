/** The client package as an application gets it: packed, installed, type-checked, bundled. Starts no server. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { ROOT } from '../../../infra/host/paths.ts';
import { ClientProject } from '../../support/client/project.ts';
import { DOCUMENTS, readmeSample, SAMPLE_GLOBALS } from '../../support/client/readme.ts';
import { SAMPLE } from '../../support/client/sample.ts';

const MAX_TARBALL_BYTES = 50_000;
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

let project: ClientProject;

beforeAll(async () => {
  project = await new ClientProject().install();
  project.link('@types/node');
  project.write('sample.ts', SAMPLE);
  project.write('globals.d.ts', SAMPLE_GLOBALS);
  for (const [index, document] of DOCUMENTS.entries()) project.write(`readme-${index}.ts`, readmeSample(document));
});
afterAll(() => project?.remove());

describe('npm pack', () => {
  test('the build prints one line that names what it wrote and the sizes', () => {
    expect(project.buildOutput).toMatch(
      /^Built dist\/server \(\d+ files, \d+ kB\) and dist\/client \(\d+ files, \d+ kB\) in \d+ ms\.\n$/,
    );
  });

  test('the tarball is below 50 kB and contains only bundles, types and documents', () => {
    expect(project.tarballBytes).toBeLessThan(MAX_TARBALL_BYTES);
    const untyped = project.packed.filter((path) => !path.startsWith('types/')).sort();
    expect(untyped).toEqual(['LICENSE', 'README.md', 'browser.js', 'node.js', 'package.json']);
    expect(project.packed.filter((path) => path.startsWith('types/') && !path.endsWith('.d.ts'))).toEqual([]);
  });

  test('installing it brings no other package', () => {
    expect(project.installed).toEqual(['node_modules/@holdfast/client']);
  });
});

describe('types', () => {
  const browser = { lib: ['es2022', 'dom'], types: [] };
  const node = { lib: ['es2022'], types: ['node'] };
  const bundler = { module: 'esnext', moduleResolution: 'bundler' };
  const nodenext = { module: 'nodenext', moduleResolution: 'nodenext' };
  test.each([
    ['bundler, DOM without @types/node', { ...bundler, ...browser }],
    ['bundler, @types/node without DOM', { ...bundler, ...node }],
    ['nodenext, DOM without @types/node', { ...nodenext, ...browser }],
    ['nodenext, @types/node without DOM', { ...nodenext, ...node }],
  ])('a strict application and the samples of the documents compile: %s', async (name, options) => {
    const config = `tsconfig.${name.replaceAll(/\W+/g, '-')}.json`;
    const strict = { strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true };
    const compilerOptions = { target: 'es2022', ...strict, ...options };
    project.write(config, JSON.stringify({ compilerOptions, include: ['*.ts'] }));
    expect(await project.run(process.execPath, [TSC, '-p', config])).toEqual({ code: 0, output: '', stdout: '' });
  });

  test('a wrong use does not compile', async () => {
    project.write('wrong.mts', "import { createClient } from '@holdfast/client';\ncreateClient({ url: 1 });\n");
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--types', ''];
    const { output } = await project.run(process.execPath, [TSC, 'wrong.mts', '--ignoreConfig', ...options]);
    expect(output).toContain("Type 'number' is not assignable to type 'string'");
  });
});

describe('bundles', () => {
  const bundle = (platform: 'browser' | 'node') =>
    build({
      entryPoints: [join(project.directory, 'sample.ts')],
      absWorkingDir: project.directory,
      bundle: true,
      format: 'esm',
      platform,
      write: false,
      metafile: true,
      logLevel: 'silent',
    });

  test('a bundle for browsers contains the client alone: no ws, no module of Node', async () => {
    const { metafile, outputFiles, warnings } = await bundle('browser');
    expect(Object.keys(metafile.inputs).sort()).toEqual(['node_modules/@holdfast/client/browser.js', 'sample.ts']);
    expect(Object.values(metafile.outputs).flatMap(({ imports }) => imports)).toEqual([]);
    expect(outputFiles[0]?.text).not.toMatch(/["']ws["']|["']node:|require\(|import\(/);
    expect(warnings).toEqual([]);
  });

  test('a bundle for Node can be made without ws', async () => {
    const { metafile } = await bundle('node');
    expect(Object.keys(metafile.inputs)).toContain('node_modules/@holdfast/client/node.js');
  });

  test('an application that does not use the client bundles nothing of it', async () => {
    const entry = project.write('unused.js', "import { createClient } from '@holdfast/client';\n");
    const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: 'esm', write: false });
    expect(outputFiles[0]?.text).not.toContain('class');
  });
});
