/**
 * Simulated fleet for promtool: the series of two healthy nodes and two probes, and for each alert the series that its fault
 * changes. A counter is given by its increase per minute, a gauge by its value; `absent` means no series. Pure.
 */

export type Level = number | 'absent';

/** Series of each of the two nodes while healthy. */
const NODE: Readonly<Record<string, Level>> = {
  'up{job="holdfast"}': 1,
  holdfast_connections: 500,
  holdfast_connections_limit: 2_000,
  holdfast_connections_dropped_total: 0,
  'holdfast_handshakes_total{result="accepted"}': 60,
  'holdfast_handshakes_total{result="full"}': 0,
  'holdfast_handshakes_total{result="paced"}': 0,
  'holdfast_handshakes_total{result="failed"}': 0,
  'holdfast_authentications_total{method="ticket",result="ok"}': 60,
  'holdfast_authentications_total{method="ticket",result="rejected"}': 1,
  'holdfast_authentications_total{method="http",result="unavailable"}': 0,
  'holdfast_closes_total{code="1001"}': 50,
  'holdfast_closes_total{code="1006"}': 10,
  'holdfast_errors_total{code="internal"}': 0,
  'holdfast_publishes_total{result="stored",via="ws"}': 600,
  'holdfast_publishes_total{result="failed",via="ws"}': 0,
  'holdfast_publish_stage_seconds_bucket{le="0.05",stage="commit"}': 600,
  'holdfast_publish_stage_seconds_bucket{le="0.5",stage="commit"}': 600,
  'holdfast_publish_stage_seconds_bucket{le="+Inf",stage="commit"}': 600,
  'holdfast_delivery_lag_seconds_bucket{le="0.25"}': 600,
  'holdfast_delivery_lag_seconds_bucket{le="+Inf"}': 600,
  holdfast_delivery_lag_seconds_count: 600,
  holdfast_backplane_up: 1,
  holdfast_backplane_deaf_total: 0,
  'holdfast_backplane_publishes_total{result="ok"}': 600,
  'holdfast_backplane_publishes_total{result="failed"}': 0,
  'holdfast_backplane_canary_duration_seconds_bucket{le="0.005"}': 60,
  'holdfast_backplane_canary_duration_seconds_bucket{le="0.25"}': 60,
  'holdfast_backplane_canary_duration_seconds_bucket{le="+Inf"}': 60,
  'holdfast_gaps_total{cause="poll"}': 0,
  holdfast_history_up: 1,
  holdfast_history_queue: 10,
  holdfast_history_queue_limit: 20_000,
  'holdfast_history_connections{state="waiting"}': 0,
  'holdfast_history_errors_total{kind="maintenance"}': 0,
  holdfast_history_regressions_total: 0,
  'holdfast_recoveries_total{result="recovered"}': 60,
  'holdfast_recoveries_total{result="epoch_changed"}': 0,
  'holdfast_slow_consumers_total{result="closed"}': 0,
  holdfast_draining: 0,
  'holdfast_event_loop_lag_seconds{quantile="1"}': 0.02,
  holdfast_event_loop_utilization_ratio: 0.4,
  'holdfast_memory_bytes{kind="resident"}': 400e6,
  'holdfast_memory_bytes{kind="heap"}': 200e6,
  'holdfast_memory_limit_bytes{kind="resident"}': 4e9,
  'holdfast_memory_limit_bytes{kind="heap"}': 3e9,
  holdfast_clock_disagreements_total: 0,
};

/** Series of each of the two probes, one per zone, while healthy. */
const PROBE: Readonly<Record<string, Level>> = {
  'holdfast_probe_rounds_total{result="ok"}': 6,
  'holdfast_probe_rounds_total{result="failed"}': 0,
  holdfast_probe_success: 1,
  'holdfast_probe_messages_total{finding="received"}': 60,
  'holdfast_probe_messages_total{finding="lost"}': 0,
};

export interface Scenario {
  readonly alert: string;
  /** Tells the scenarios of one alert apart. */
  readonly when?: string;
  /** A harmless situation that resembles the fault: the alert must not fire. */
  readonly silent?: boolean;
  /** Series of NODE or PROBE -> level during the fault. */
  readonly fault: Readonly<Record<string, Level>>;
  /** The fault affects only the first node, or the first zone. Default: all. */
  readonly one?: boolean;
  /** Levels of the other node during the fault, as in `fault`. */
  readonly other?: Readonly<Record<string, Level>>;
  /** Duration of the fault, and time after it within which the alert must resolve. Minutes. */
  readonly minutes: readonly [fault: number, after: number];
}

const nothing = Object.fromEntries(Object.keys(NODE).map((series) => [series, 'absent'] as const));

export const SCENARIOS: readonly Scenario[] = [
  // 60 of 120 handshakes per minute fail: a burn rate of 500.
  { alert: 'HoldfastConnectBudgetBurn', fault: { 'holdfast_handshakes_total{result="full"}': 60 }, minutes: [10, 40] },
  {
    alert: 'HoldfastConnectBudgetBurn',
    when: 'token keys cannot be fetched, so clients get no ticket',
    fault: {
      'holdfast_authentications_total{method="http",result="unavailable"}': 60,
      'holdfast_handshakes_total{result="accepted"}': 0,
    },
    minutes: [10, 40],
  },
  // 0.4 % fail: a burn rate of 4, too slow for a page. It resolves when the window of 6 hours has passed.
  {
    alert: 'HoldfastConnectBudgetBurnSlow',
    fault: { 'holdfast_handshakes_total{result="paced"}': 0.25 },
    minutes: [40 * 60, 9 * 60],
  },
  {
    alert: 'HoldfastPublishBudgetBurn',
    fault: { 'holdfast_publishes_total{result="failed",via="ws"}': 60 },
    minutes: [20, 40],
  },
  {
    alert: 'HoldfastPublishBudgetBurnSlow',
    fault: { 'holdfast_publishes_total{result="failed",via="ws"}': 2 },
    minutes: [40 * 60, 9 * 60],
  },
  {
    alert: 'HoldfastDeliverBudgetBurn',
    fault: { 'holdfast_delivery_lag_seconds_bucket{le="0.25"}': 300 },
    minutes: [30, 40],
  },
  {
    alert: 'HoldfastDeliverBudgetBurnSlow',
    fault: { 'holdfast_delivery_lag_seconds_bucket{le="0.25"}': 585 },
    minutes: [40 * 60, 9 * 60],
  },
  {
    alert: 'HoldfastProbeBudgetBurn',
    fault: { 'holdfast_probe_rounds_total{result="failed"}': 1 },
    minutes: [20, 40],
  },
  {
    alert: 'HoldfastProbeBudgetBurnSlow',
    fault: { 'holdfast_probe_rounds_total{result="failed"}': 0.02 },
    minutes: [40 * 60, 9 * 60],
  },
  { alert: 'HoldfastProbeFailing', fault: { holdfast_probe_success: 0 }, one: true, minutes: [6, 5] },
  {
    alert: 'HoldfastProbeAbsent',
    fault: Object.fromEntries(Object.keys(PROBE).map((series) => [series, 'absent'] as const)),
    minutes: [20, 10],
  },
  {
    alert: 'HoldfastProbeAbsent',
    when: 'a zone fails together with its probe',
    fault: Object.fromEntries(Object.keys(PROBE).map((series) => [series, 'absent'] as const)),
    one: true,
    minutes: [20, 10],
  },
  {
    alert: 'HoldfastMessagesLost',
    fault: { 'holdfast_probe_messages_total{finding="lost"}': 1 },
    one: true,
    minutes: [2, 20],
  },
  { alert: 'HoldfastConnectionsLost', fault: { holdfast_connections: 0 }, one: true, minutes: [5, 15] },
  {
    alert: 'HoldfastConnectionsLost',
    when: 'a node dies and its clients reconnect to the other',
    silent: true,
    fault: nothing,
    one: true,
    other: { holdfast_connections: 1_000 },
    minutes: [20, 15],
  },
  {
    alert: 'HoldfastReconnectStorm',
    fault: { 'holdfast_handshakes_total{result="accepted"}': 3_000 },
    minutes: [5, 10],
  },
  {
    alert: 'HoldfastReconnectStorm',
    when: 'nodes drain and their clients reconnect',
    silent: true,
    fault: { 'holdfast_handshakes_total{result="accepted"}': 3_000, holdfast_draining: 1 },
    minutes: [5, 10],
  },
  { alert: 'HoldfastConnectionsRefused', fault: { 'holdfast_handshakes_total{result="full"}': 10 }, minutes: [10, 10] },
  {
    alert: 'HoldfastAuthenticationRejected',
    fault: { 'holdfast_authentications_total{method="ticket",result="rejected"}': 60 },
    minutes: [20, 10],
  },
  { alert: 'HoldfastAbnormalCloses', fault: { 'holdfast_closes_total{code="1006"}': 200 }, minutes: [20, 10] },
  { alert: 'HoldfastInternalErrors', fault: { 'holdfast_errors_total{code="internal"}': 5 }, minutes: [15, 10] },
  { alert: 'HoldfastHeadroomLow', fault: { holdfast_connections: 1_500 }, minutes: [15, 5] },
  {
    alert: 'HoldfastSlowConsumersClosed',
    fault: { 'holdfast_slow_consumers_total{result="closed"}': 10 },
    minutes: [15, 10],
  },
  { alert: 'HoldfastRedisDown', fault: { holdfast_backplane_up: 0 }, one: true, minutes: [3, 3] },
  { alert: 'HoldfastRedisDeaf', fault: { holdfast_backplane_deaf_total: 1 }, one: true, minutes: [6, 20] },
  {
    alert: 'HoldfastRedisDeaf',
    when: 'Redis fails over twice',
    silent: true,
    fault: { holdfast_backplane_deaf_total: 1 },
    one: true,
    minutes: [2, 30],
  },
  {
    alert: 'HoldfastRedisSlow',
    fault: { 'holdfast_backplane_canary_duration_seconds_bucket{le="0.005"}': 50 },
    minutes: [15, 10],
  },
  {
    alert: 'HoldfastRedisRefuses',
    fault: { 'holdfast_backplane_publishes_total{result="failed"}': 60 },
    minutes: [10, 10],
  },
  { alert: 'HoldfastAnnouncementsLost', fault: { 'holdfast_gaps_total{cause="poll"}': 30 }, minutes: [15, 10] },
  { alert: 'HoldfastPostgresDown', fault: { holdfast_history_up: 0 }, one: true, minutes: [3, 3] },
  {
    alert: 'HoldfastCommitsSlow',
    fault: { 'holdfast_publish_stage_seconds_bucket{le="0.05",stage="commit"}': 100 },
    minutes: [15, 10],
  },
  { alert: 'HoldfastHistoryQueueFilling', fault: { holdfast_history_queue: 15_000 }, one: true, minutes: [3, 3] },
  {
    alert: 'HoldfastPoolExhausted',
    fault: { 'holdfast_history_connections{state="waiting"}': 3 },
    one: true,
    minutes: [8, 3],
  },
  { alert: 'HoldfastHistoryRegressed', fault: { holdfast_history_regressions_total: 1 }, one: true, minutes: [2, 20] },
  {
    alert: 'HoldfastMaintenanceFailing',
    fault: { 'holdfast_history_errors_total{kind="maintenance"}': 0.2 },
    minutes: [40, 70],
  },
  {
    alert: 'HoldfastMaintenanceFailing',
    when: 'Postgres fails over once',
    silent: true,
    fault: { 'holdfast_history_errors_total{kind="maintenance"}': 1 },
    minutes: [1, 70],
  },
  {
    alert: 'HoldfastRecoveriesIncomplete',
    fault: { 'holdfast_recoveries_total{result="epoch_changed"}': 30 },
    minutes: [15, 10],
  },
  // No zeros and no staleness markers, as on AWS, where nodes push their metrics.
  { alert: 'HoldfastNodesAbsent', fault: nothing, minutes: [5, 5] },
  { alert: 'HoldfastNodeUnreachable', fault: { ...nothing, 'up{job="holdfast"}': 0 }, one: true, minutes: [5, 3] },
  {
    alert: 'HoldfastEventLoopBlocked',
    fault: { 'holdfast_event_loop_lag_seconds{quantile="1"}': 1.5 },
    one: true,
    minutes: [6, 5],
  },
  {
    alert: 'HoldfastEventLoopSaturated',
    fault: { holdfast_event_loop_utilization_ratio: 0.99 },
    one: true,
    minutes: [15, 8],
  },
  { alert: 'HoldfastMemoryHigh', fault: { 'holdfast_memory_bytes{kind="heap"}': 2.8e9 }, one: true, minutes: [5, 3] },
  { alert: 'HoldfastDrainStuck', fault: { holdfast_draining: 1 }, one: true, minutes: [20, 5] },
  { alert: 'HoldfastClockSkew', fault: { holdfast_clock_disagreements_total: 60 }, one: true, minutes: [20, 15] },
];

/** Healthy minutes before a fault: more than 1 hour, the longest range of the alerts that are not about days. */
export const BEFORE = 70;

export const titleOf = ({ alert, when }: Scenario) => (when ? `${alert}, ${when}` : alert);

/** The promtool test of a scenario: silent before, firing at the end of the fault, resolved after it; or always silent. */
export function promtoolTest(scenario: Scenario) {
  const { alert, silent = false, fault, one = false, other = {}, minutes } = scenario;
  const [during, after] = minutes;
  const firing = (minute: number, value: 0 | 1) => ({
    expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) > bool 0 or vector(0)`,
    eval_time: `${minute}m`,
    exp_samples: [{ labels: '{}', value }],
  });
  return {
    name: titleOf(scenario),
    interval: '1m',
    input_series: fleet((series, first) => (one && !first ? other[series] : fault[series]), [BEFORE, during, after]),
    promql_expr_test: silent
      ? Array.from({ length: 1 + during + after }, (_, i) => firing(BEFORE + i, 0))
      : [firing(BEFORE - 1, 0), firing(BEFORE + during - 1, 1), firing(BEFORE + during + after, 0)],
  };
}

/** The promtool test of a healthy fleet: only Watchdog fires, at any time. */
export function healthyTest(hours: number) {
  return {
    name: 'healthy',
    interval: '1m',
    input_series: fleet(() => undefined, [hours * 60, 1, 1]),
    promql_expr_test: Array.from({ length: hours * 4 }, (_, i) => ({
      expr: 'count by (alertname) (ALERTS)',
      eval_time: `${(i + 1) * 15}m`,
      exp_samples: [{ labels: '{alertname="Watchdog"}', value: 1 }],
    })),
  };
}

type FaultOf = (series: string, first: boolean) => Level | undefined;

function fleet(faultOf: FaultOf, minutes: readonly [number, number, number]) {
  const members = [
    ...['a:9464', 'b:9464'].map((instance, i) => ({ all: NODE, labels: `instance="${instance}"`, first: i === 0 })),
    ...['1', '2'].map((zone, i) => ({
      all: PROBE,
      labels: `job="probe",instance="p${zone}:9464",zone="${zone}"`,
      first: i === 0,
    })),
  ];
  return members.flatMap(({ all, labels, first }) =>
    Object.entries(all).map(([series, healthy]) => ({
      series: withLabels(series, labels),
      values: values(series, healthy, faultOf(series, first) ?? healthy, minutes),
    })),
  );
}

function withLabels(series: string, labels: string): string {
  return series.endsWith('}') ? `${series.slice(0, -1)},${labels}}` : `${series}{${labels}}`;
}

/** Series values in the notation of promtool: `<start>+<increase>x<steps>`. */
function values(
  series: string,
  healthy: Level,
  faulty: Level,
  [before, during, after]: readonly [number, number, number],
) {
  const isCounter = /_(total|bucket|count)(\{|$)/.test(series);
  let value = 0;
  const phase = (level: Level, steps: number): string => {
    if (level === 'absent') return `_x${steps}`;
    if (!isCounter) return `${level}+0x${steps - 1}`;
    const begin = value;
    value += level * steps;
    return `${begin}+${level}x${steps - 1}`;
  };
  return [phase(healthy, before), phase(faulty, during), phase(healthy, after + 1)].join(' ');
}
