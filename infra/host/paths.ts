/** Absolute paths in this checkout. */
import { join } from 'node:path';

/** The directory of package.json. */
export const ROOT = join(import.meta.dirname, '..', '..');

/** Entry points that `npm run build` writes. */
export const SERVER_MAIN = join(ROOT, 'dist', 'server', 'main.js');
export const PROBE_MAIN = join(ROOT, 'dist', 'server', 'probe', 'main.js');
