/** The demo page and the client it uses, read once at start. Off unless DEMO_PAGE is set. */
import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { assetPath } from '../assets.ts';

const FILES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/demo.css': ['demo.css', 'text/css; charset=utf-8'],
  '/demo.js': ['demo.js', 'text/javascript; charset=utf-8'],
  '/client.js': ['client.js', 'text/javascript; charset=utf-8'],
} as const;

/** Scripts and styles from here only; connections anywhere, because the panes may talk to nodes directly. */
const POLICY =
  "default-src 'self'; connect-src *; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export async function addDemoPage(app: FastifyInstance): Promise<void> {
  for (const [path, [file, type]] of Object.entries(FILES)) {
    const content = await readFile(assetPath(`public/${file}`));
    app.get(path, { schema: { hide: true } }, (_request, reply) =>
      reply
        .type(type)
        .header('content-security-policy', POLICY)
        .header('x-content-type-options', 'nosniff')
        .header('referrer-policy', 'no-referrer')
        .header('cache-control', 'no-cache')
        .send(content),
    );
  }
}
