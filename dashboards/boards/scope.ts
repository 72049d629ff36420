/** What every board's queries share. */
import type { Scope } from '../lib/query.ts';

/** Nodes, as chosen above the dashboard. */
export const SCOPE: Scope = { range: '$__rate_interval', match: 'instance=~"$node"' };

/** Probes and fleet-wide sums, whatever nodes are chosen. */
export const PROBES: Scope = { range: '$__rate_interval' };

/** Nodes that answer their scrapes. */
export const NODES = '(count(up{job="holdfast"} == 1) or vector(0))';
