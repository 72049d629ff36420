/** Serves the demo page and its client, which are read once at start. Called only if DEMO_PAGE is set. */
import { readdir, readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { assetPath } from '../assets.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

/** Scripts and styles come from this server only. Connections may go anywhere, because the panes may connect to other nodes. */
const HEADERS = {
  'content-security-policy':
    "default-src 'self'; connect-src *; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};

/** Serves every page, style and script of `server/public/` at the root. */
export async function addDemoPage(app: FastifyInstance): Promise<void> {
  for (const file of await readdir(assetPath('public'))) {
    const type = TYPES[extname(file)];
    if (!type) continue;
    const content = await readFile(assetPath(`public/${file}`));
    const path = file === 'index.html' ? '/' : `/${file}`;
    app.get(path, { schema: { hide: true } }, (_request, reply) => reply.type(type).headers(HEADERS).send(content));
  }
}
