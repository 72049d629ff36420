/**
 * The service level objectives, and the rules made from them: recorded ratios over several windows, and multi-window
 * burn-rate alerts (Google SRE Workbook, chapter 5). A page fires at burn rates of 14.4 and 6, a ticket at 1, which uses
 * up the error budget in exactly 30 days. Pure.
 */
import type { BoardName } from './links.ts';
import { orZero, type Queries, queries, share } from './query.ts';
import type { Alert, Recording } from './rule.ts';

export interface Slo {
  readonly name: 'connect' | 'publish' | 'deliver' | 'probe';
  /** Share of events that must be good: 0.999. */
  readonly objective: number;
  /** The objective as a sentence. */
  readonly promise: string;
  /** What users notice when it is missed: begins the summary of both alerts. */
  readonly failing: string;
  /** What the bad events are: follows their share in the description of both alerts. */
  readonly violation: string;
  /** Most likely cause, and the first thing to do. */
  readonly firstLook: string;
  /** Why this objective. */
  readonly reason: string;
  readonly board: BoardName;
  /** PromQL: all events per second, and the bad ones. */
  readonly total: (q: Queries) => string;
  readonly bad: (q: Queries) => string;
  /** An alert needs more events than this in its long window: 1 failure of 10 is not a trend. */
  readonly events: number;
}

/** Longest delivery lag that meets the objective, seconds. Must be a bucket of the histogram. */
export const REALTIME_S = 0.25;

export const SLOS: readonly Slo[] = [
  {
    name: 'connect',
    objective: 0.999,
    promise: 'Of all valid connection attempts, 99.9 % are accepted at the first try.',
    failing: 'Some users cannot connect',
    violation: 'valid connection attempts were refused',
    firstLook:
      'Most likely nodes are full (`full`), a reconnect storm is paced (`paced`), or token keys cannot be fetched (`unavailable`). First compare handshakes and authentications by result.',
    reason: 'A refused client retries after a backoff of seconds, which users notice.',
    board: 'connections',
    // A client that gets no ticket, because the token keys cannot be fetched, never starts a handshake.
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
    failing: 'Some users cannot send messages',
    violation: 'valid publishes failed',
    firstLook:
      'Clients can retry them, and no acknowledged message is lost. Most likely Postgres is down, slow or overloaded. First look at nodes with Postgres and at the commit time on the dashboard.',
    reason:
      'The client SDK retries with the same client_msg_id, so a failure costs time but no message. Users still notice the delay.',
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
    violation: 'commits reached the sockets of a node later than 250 ms',
    firstLook:
      'Most likely Redis is down or slow, so that nodes read messages from Postgres, or event loops are overloaded. First look at Redis, then at the event loops.',
    reason:
      'A conversation stops to feel live at a delay of about 250 ms. On a quiet system the p99 is below 15 ms. Each commit counts once per node that writes it, by its oldest message.',
    board: 'delivery',
    total: (q) => q.observations('holdfast.delivery.lag.seconds'),
    bad: (q) =>
      `${orZero(q.observations('holdfast.delivery.lag.seconds'))} - ${orZero(q.within('holdfast.delivery.lag.seconds', REALTIME_S))}`,
    events: 100,
  },
  {
    name: 'probe',
    objective: 0.999,
    promise:
      'Of all probe rounds, 99.9 % succeed: connect, publish, receive on another node, lose the connection, recover.',
    failing: 'The service fails for some probe rounds',
    violation: 'probe rounds failed',
    firstLook:
      'Most likely Postgres fails (phase `publish`), Redis fails (`receive`), or clients cannot connect (`ticket`, `connect`). First look at the failing phase on the dashboard.',
    reason: 'A step that fails for the probe fails for users too, even if the nodes report no fault.',
    board: 'probes',
    total: (q) => q.rate('holdfast.probe.rounds'),
    bad: (q) => q.rate('holdfast.probe.rounds', { where: { result: 'failed' } }),
    events: 20,
  },
];

/** Windows of the recorded ratios. */
export const WINDOWS = ['5m', '30m', '1h', '6h', '3d'] as const;
export type Window = (typeof WINDOWS)[number];

/** Name of the recorded share of bad events within `window`. */
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

/** Two alerts: a page when the budget burns fast, a ticket when it burns at 1 time its rate or more. */
export function sloAlerts(slo: Slo): Alert[] {
  const budget = Number((1 - slo.objective).toFixed(6));
  const burning = (factor: number, long: Window, short: Window) =>
    `(${ofSlo(badRatio(long), slo)} > ${factor} * ${budget} and ${ofSlo(badRatio(short), slo)} > ${factor} * ${budget}` +
    ` and on () (${slo.total(queries({ range: long }))}) > ${slo.events} / ${seconds(long)})`;
  const name = `Holdfast${slo.name[0]?.toUpperCase()}${slo.name.slice(1)}`;
  const percent = '{{ $value | humanizePercentage }}';
  const allowed = `${Number((budget * 100).toFixed(4))} %`;
  return [
    {
      alert: `${name}BudgetBurn`,
      expr: `${burning(14.4, '1h', '5m')} or ${burning(6, '6h', '30m')}`,
      for: '2m',
      severity: 'page',
      summary: `${slo.failing}: the error budget burns fast`,
      description: `${percent} of ${slo.violation} in the last hour or 6 hours; the SLO allows ${allowed}. ${slo.firstLook}`,
      threshold: `${slo.reason} A burn rate of 14.4 for 1 hour uses 2 % of the 30-day budget, a burn rate of 6 for 6 hours uses 5 %. The short window (5 or 30 minutes) lets the alert resolve soon after the fault. The long window must have more than ${slo.events} events.`,
      board: slo.board,
    },
    {
      alert: `${name}BudgetBurnSlow`,
      expr: burning(1, '3d', '6h'),
      for: '1h',
      severity: 'ticket',
      summary: `${slo.failing}: the 30-day budget will not last`,
      description: `${percent} of ${slo.violation} in the last 3 days; the SLO allows ${allowed}. ${slo.firstLook}`,
      threshold: `${slo.reason} A burn rate of 1 uses up the 30-day budget in exactly 30 days.`,
      board: slo.board,
    },
  ];
}

const UNITS: Readonly<Record<string, number>> = { m: 60, h: 3_600, d: 86_400 };
const seconds = (window: Window) => Number(window.slice(0, -1)) * (UNITS[window.slice(-1)] as number);
