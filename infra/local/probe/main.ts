/**
 * `npm run probe`: the probe of `server/probe`, pointed at the cluster that `npm start` runs from this checkout unless an
 * address is given. Owns the choice of the cluster; what a round does and prints is the work of the probe.
 */
import { findRunningCluster } from '../start/running-cluster.ts';

const args = process.argv.slice(2);
const isNamed = process.env.PROBE_URL || args.some((arg) => /^--(url|help)(=|$)|^-h$/.test(arg));
const cluster = isNamed ? undefined : findRunningCluster();
if (cluster) {
  process.env.PROBE_URL = cluster.url;
  if (!process.env.PROBE_TOKEN) process.env.AUTH_JWT_SECRET ||= cluster.secret;
  process.stderr.write(
    `Probing ${cluster.url}, which npm start runs from ${cluster.directory}. Another: --url <url>.\n\n`,
  );
} else if (!isNamed) {
  process.stderr.write(
    'No cluster of npm start runs from this checkout. Run npm start, or name a service: --url <url>.\n\n',
  );
}
await import('../../../server/probe/main.ts');
