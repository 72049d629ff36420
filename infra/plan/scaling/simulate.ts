/**
 * Replays a curve of connections against the scaling policy of an environment: fleet, CloudWatch delay and decision,
 * minute by minute. Pure.
 */
import type { Environment } from '../../environments/types.ts';
import type { Curve } from './curves.ts';
import { type Reading, ScalingDecision } from './decision.ts';
import { ASSUMPTIONS, type Assumptions, Fleet, type FleetState } from './fleet.ts';
import { scalingPolicy } from './policy.ts';

export interface MinuteState extends FleetState {
  readonly minute: number;
  readonly wanted: number;
  readonly desired: number;
  /** Average over the tasks that report; autoscaling acts on it. */
  readonly perTask: number;
  /** Connections that could still be accepted, as a share of those wanted. */
  readonly headroom: number;
}

export interface Action {
  readonly minute: number;
  readonly from: number;
  readonly to: number;
}

export interface Simulation {
  readonly minutes: readonly MinuteState[];
  readonly actions: readonly Action[];
  readonly summary: Summary;
}

export interface Summary {
  readonly scaleOuts: number;
  readonly scaleIns: number;
  /** Changes of direction within half an hour: a task was started in vain or removed too early. */
  readonly flaps: number;
  /** Longest time with more than 1 % of the clients waiting, minutes. */
  readonly longestWaitMinutes: number;
  readonly mostWaiting: number;
  readonly leastHeadroom: number;
  readonly fullestTask: number;
  /** Connections cut at the end of a drain. */
  readonly cut: number;
  readonly refusedAttempts: number;
  readonly taskHours: number;
  /** `good`, or the worst problem. */
  readonly verdict: 'good' | 'flapping' | 'saturated' | 'connections cut';
}

const STEP_SECONDS = 2;
/** Time until CloudWatch has the data of a minute and an alarm has evaluated it, minutes. */
const METRIC_DELAY = 2;
const FLAP_MINUTES = 30;
/** A longer wait means saturation, minutes: the clients of a lost zone reconnect within less. */
const WAIT_LIMIT = 5;

export function simulate(environment: Environment, curve: Curve, assumptions: Assumptions = ASSUMPTIONS): Simulation {
  const policy = scalingPolicy(environment);
  const decision = new ScalingDecision(policy);
  const fleet = new Fleet(environment.service, assumptions, STEP_SECONDS);
  const { minTasks, maxTasks, targetConnections } = policy;
  const first = curve.wanted(0);
  let desired = Math.min(maxTasks, Math.max(minTasks, Math.ceil(first / targetConnections)));
  fleet.begin(desired, first);
  const readings: Reading[] = [];
  const minutes: MinuteState[] = [];
  const actions: Action[] = [];
  const stepsPerMinute = 60 / STEP_SECONDS;
  for (let index = 0; index < (curve.hours * 3_600) / STEP_SECONDS; index++) {
    const second = index * STEP_SECONDS;
    if (curve.loss && second === curve.loss.second) fleet.lose(index, curve.loss.share);
    const wanted = curve.wanted(second);
    fleet.step(index, wanted, desired);
    if ((index + 1) % stepsPerMinute !== 0) continue;
    const minute = (index + 1) / stepsPerMinute;
    const reading = fleet.readings(second);
    readings.push({ connections: reading?.connections, cpuPercent: reading?.cpuPercent });
    const next = decision.decide(minute, readings.at(-1 - METRIC_DELAY) ?? NOTHING, desired);
    if (next !== desired) actions.push({ minute, from: desired, to: next });
    desired = next;
    const state = fleet.state(second);
    minutes.push({
      ...state,
      minute,
      wanted,
      desired,
      perTask: reading?.connections ?? 0,
      headroom: state.room / Math.max(wanted, 1),
    });
  }
  return { minutes, actions, summary: summarise(minutes, actions, fleet) };
}

const NOTHING: Reading = { connections: undefined, cpuPercent: undefined };

function summarise(minutes: readonly MinuteState[], actions: readonly Action[], fleet: Fleet): Summary {
  const flaps = actions.filter((action, i) => {
    const before = actions[i - 1];
    return before && isOut(before) !== isOut(action) && action.minute - before.minute < FLAP_MINUTES;
  }).length;
  const longestWaitMinutes = longestRun(minutes.map(({ waiting, wanted }) => waiting > wanted * 0.01));
  const cut = Math.round(fleet.cut);
  return {
    scaleOuts: actions.filter(isOut).length,
    scaleIns: actions.filter((action) => !isOut(action)).length,
    flaps,
    longestWaitMinutes,
    mostWaiting: Math.round(Math.max(...minutes.map(({ waiting }) => waiting))),
    leastHeadroom: Math.min(...minutes.map(({ headroom }) => headroom)),
    fullestTask: Math.round(Math.max(...minutes.map(({ fullest }) => fullest))),
    cut,
    refusedAttempts: Math.round(fleet.refused),
    taskHours: minutes.reduce((sum, { serving, starting, draining }) => sum + serving + starting + draining, 0) / 60,
    verdict: verdictOf(flaps, longestWaitMinutes, cut),
  };
}

function verdictOf(flaps: number, longestWait: number, cut: number): Summary['verdict'] {
  if (longestWait > WAIT_LIMIT) return 'saturated';
  if (cut > 0) return 'connections cut';
  return flaps > 0 ? 'flapping' : 'good';
}

const isOut = ({ from, to }: Action) => to > from;

function longestRun(flags: readonly boolean[]): number {
  let longest = 0;
  let run = 0;
  for (const flag of flags) {
    run = flag ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}
