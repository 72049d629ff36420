/** Places in this checkout, as absolute paths. */
import { join } from 'node:path';

/** The folder of package.json. */
export const ROOT = join(import.meta.dirname, '..', '..');

/** Entry points that `npm run build` writes. */
export const SERVER_MAIN = join(ROOT, 'dist', 'server', 'main.js');
export const PROBE_MAIN = join(ROOT, 'dist', 'server', 'probe', 'main.js');
