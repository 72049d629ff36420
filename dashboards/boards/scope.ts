/** Scopes and expressions that the dashboards share. */
import type { Scope } from '../lib/query.ts';

/** The nodes selected in the dashboard variable `node`. */
export const SCOPE: Scope = { range: '$__rate_interval', match: 'instance=~"$node"' };

/** All series: probes and sums over all nodes, independent of the variable `node`. */
export const PROBES: Scope = { range: '$__rate_interval' };

/** Number of nodes that answer scrapes. */
export const NODES = '(count(up{job="holdfast"} == 1) or vector(0))';
