/** The samples of the documents, made runnable. Pure but for reading the documents. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../../infra/host/paths.ts';

/** The documents that show the client. */
export const DOCUMENTS = ['README.md', 'server/client/README.md'] as const;

/** The address that the samples connect to. */
export const SAMPLE_URL = 'http://127.0.0.1:8080';

/** Declares the function that the samples leave to the application. */
export const SAMPLE_GLOBALS = 'declare function fetchTokenFromYourBackend(): Promise<string>;\n';

/** The block of a document that imports the client. @throws Error when there is not exactly one */
export function readmeSample(document: string): string {
  const blocks = [...readFileSync(join(ROOT, document), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```$/gm)]
    .map(([, block = '']) => block)
    .filter((block) => block.includes("from '@holdfast/client'"));
  const [block, ...others] = blocks;
  if (block === undefined || others.length > 0)
    throw new Error(`${document} must have one ts block that imports the client; it has ${blocks.length}.`);
  if (block.split(SAMPLE_URL).length !== 2) throw new Error(`The sample of ${document} must name ${SAMPLE_URL} once.`);
  return block;
}
