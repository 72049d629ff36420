/**
 * What users are promised, as service level objectives, and the rules that follow: recorded ratios over many windows, and
 * alerts on how fast the error budget burns (Google's SRE Workbook, chapter 5: pages at 14.4 and 6 times, tickets at
 * once the speed that uses the budget up exactly in thirty days). Pure.
 */
import type { BoardName } from './links.ts';
import { orZero, type Queries, queries, share } from './query.ts';
import type { Alert, Recording } from './rule.ts';

export interface Slo {
  readonly name: 'connect' | 'publish' | 'deliver' | 'probe';
  /** Share of good events: 0.999. */
  readonly objective: number;
  /** What is promised, as a sentence. */
  readonly promise: string;
  /** What is going wrong, for the alerts. */
  readonly failing: string;
  readonly firstLook: string;
  /** Why this objective. */
  readonly reason: string;
  readonly board: BoardName;
  /** Events per second that count, and those of them that broke the promise. */
  readonly total: (q: Queries) => string;
  readonly bad: (q: Queries) => string;
  /** Events within an alert's long window, below which it keeps still: one failure of ten is no trend. */
  readonly events: number;
}

/** Slowest delivery that still counts as realtime, seconds: a bucket of the histogram. */
export const REALTIME_S = 0.25;

export const SLOS: readonly Slo[] = [
  {
    name: 'connect',
    objective: 0.999,
    promise: 'Of all clients that ask to connect and may, 99.9 % are let in at once.',
    failing: 'Clients are turned away',
    firstLook:
      'Look at the results of handshakes: `full` is capacity, `paced` a herd, `failed` a fault; then at authentications that are `unavailable`: the keys’ address.',
    reason: 'A client that is refused tries again with backoff: it waits seconds, which people notice.',
    board: 'connections',
    // Who asks for a ticket while the keys cannot be fetched never gets as far as a handshake.
    total: (q) =>
      `${orZero(q.rate('holdfast.handshakes', { where: { result: ['accepted', 'full', 'paced', 'failed'] } }))} + ${orZero(q.rate('holdfast.authentications', { where: { method: 'http', result: 'unavailable' } }))}`,
    bad: (q) =>
      `${orZero(q.rate('holdfast.handshakes', { where: { result: ['full', 'paced', 'failed'] } }))} + ${orZero(q.rate('holdfast.authentications', { where: { result: 'unavailable' } }))}`,
    events: 100,
  },
  {
    name: 'publish',
    objective: 0.999,
    promise: 'Of all valid publishes, 99.9 % are stored and acknowledged at the first try.',
    failing: 'Publishes fail',
    firstLook: 'Look at Postgres first; failed publishes are refused retryably, none that was acknowledged is lost.',
    reason: 'The SDK retries with the same key, so a failure costs time and no message; it is felt all the same.',
    board: 'postgres',
    total: (q) => q.rate('holdfast.publishes', { where: { result: ['stored', 'duplicate', 'failed'] } }),
    bad: (q) => q.rate('holdfast.publishes', { where: { result: 'failed' } }),
    events: 100,
  },
  {
    name: 'deliver',
    objective: 0.99,
    promise: 'Of all messages, 99 % are written to the sockets of live subscribers within 250 ms of their commit.',
    failing: 'Messages arrive late',
    firstLook: 'Look at Redis (degraded nodes deliver by reading the history), then at the event loops.',
    reason:
      'A quarter of a second is where a conversation stops to feel live; quiet, it takes under 15 ms (p99). Counted is each commit that a node writes, by its oldest message.',
    board: 'delivery',
    total: (q) => q.observations('holdfast.delivery.lag.seconds'),
    bad: (q) =>
      `${orZero(q.observations('holdfast.delivery.lag.seconds'))} - ${orZero(q.within('holdfast.delivery.lag.seconds', REALTIME_S))}`,
    events: 100,
  },
  {
    name: 'probe',
    objective: 0.999,
    promise: 'Of all rounds of the probes, 99.9 % go well: connect, publish, receive on another node, drop, recover.',
    failing: 'The service fails for its probes',
    firstLook: 'Look at the phase that fails: it names the part of the way that is broken.',
    reason: 'What the probe cannot do, users cannot do either, whatever the nodes say of themselves.',
    board: 'probes',
    total: (q) => q.rate('holdfast.probe.rounds'),
    bad: (q) => q.rate('holdfast.probe.rounds', { where: { result: 'failed' } }),
    events: 20,
  },
];

/** Windows that are recorded. */
export const WINDOWS = ['5m', '30m', '1h', '6h', '3d'] as const;
export type Window = (typeof WINDOWS)[number];

/** Name of the recorded share of bad events. */
export const badRatio = (window: Window) => `holdfast_slo:bad:ratio_rate${window}`;
export const totalRate = 'holdfast_slo:total:rate5m';
export const badRate = 'holdfast_slo:bad:rate5m';
export const ofSlo = (record: string, { name }: Pick<Slo, 'name'>) => `${record}{slo="${name}"}`;

export function sloRecordings(slo: Slo): Recording[] {
  const labels = { slo: slo.name };
  const bad = (range: string) => orZero(slo.bad(queries({ range })));
  const total = (range: string) => orZero(slo.total(queries({ range })));
  return [
    ...WINDOWS.map((window) => ({ record: badRatio(window), expr: share(bad(window), total(window)), labels })),
    { record: badRate, expr: bad('5m'), labels },
    { record: totalRate, expr: total('5m'), labels },
  ];
}

/** Two alerts: a page when the budget burns fast, a ticket when it burns at all. */
export function sloAlerts(slo: Slo): Alert[] {
  const budget = Number((1 - slo.objective).toFixed(6));
  const burning = (factor: number, long: Window, short: Window) =>
    `(${ofSlo(badRatio(long), slo)} > ${factor} * ${budget} and ${ofSlo(badRatio(short), slo)} > ${factor} * ${budget}` +
    ` and on () (${slo.total(queries({ range: long }))}) > ${slo.events} / ${seconds(long)})`;
  const name = `Holdfast${slo.name[0]?.toUpperCase()}${slo.name.slice(1)}`;
  const percent = `{{ $value | humanizePercentage }}`;
  return [
    {
      alert: `${name}BudgetBurn`,
      expr: `${burning(14.4, '1h', '5m')} or ${burning(6, '6h', '30m')}`,
      for: '2m',
      severity: 'page',
      summary: `${slo.failing}, fast`,
      description: `${slo.promise} Now ${percent} are not. ${slo.firstLook}`,
      threshold: `${slo.reason} 14.4 times the budget's speed for an hour, or 6 times for six hours, use up 2 % or 5 % of a month's budget; the short window lets it resolve soon. At least ${slo.events} events must be in the window.`,
      board: slo.board,
    },
    {
      alert: `${name}BudgetBurnSlow`,
      expr: burning(1, '3d', '6h'),
      for: '1h',
      severity: 'ticket',
      summary: `${slo.failing}, a little and for days`,
      description: `${slo.promise} Over three days ${percent} were not: the month's budget will not last. ${slo.firstLook}`,
      threshold: `${slo.reason} At this speed the budget of thirty days lasts thirty days and no longer.`,
      board: slo.board,
    },
  ];
}

const UNITS: Readonly<Record<string, number>> = { m: 60, h: 3_600, d: 86_400 };
const seconds = (window: Window) => Number(window.slice(0, -1)) * (UNITS[window.slice(-1)] as number);
