/**
 * How AWS decides on more and fewer tasks, as far as its documents tell. More: target tracking, by an alarm per policy
 * and in proportion. Fewer: our own step policy (policy.ts says why). Pure; time is minutes, as alarms look once a
 * minute. Sources: Application Auto Scaling, "Target tracking scaling policies" and "Step scaling policies". What they
 * leave open is marked "our reading", and chosen against us.
 */
import type { ScalingPolicy } from './policy.ts';

/** Averages over all tasks that report; undefined: nobody did, so nothing is decided. */
export interface Reading {
  readonly connections: number | undefined;
  readonly cpuPercent: number | undefined;
}

/** Datapoints in a row above the target before more tasks are asked for. */
const HIGH_POINTS = 3;

export class ScalingDecision {
  private readonly policy: ScalingPolicy;
  private readonly above = [0, 0];
  private below = 0;
  private lastOut = Number.NEGATIVE_INFINITY;
  private lastIn = Number.NEGATIVE_INFINITY;

  constructor(policy: ScalingPolicy) {
    this.policy = policy;
  }

  /** The number of tasks to have after this minute, given how many are asked for now. */
  decide(minute: number, reading: Reading, tasks: number): number {
    const { minTasks, maxTasks } = this.policy;
    const more = this.more(minute, reading, tasks);
    const fewer = this.fewer(minute, reading, tasks);
    // Of several policies that want a change, the one that wants the most tasks wins.
    return Math.min(maxTasks, Math.max(minTasks, more > tasks ? more : fewer));
  }

  /** Any metric may add, in proportion. During the cooldown only a larger number than before adds more; our reading: none does. */
  private more(minute: number, { connections, cpuPercent }: Reading, tasks: number): number {
    const { targetConnections, targetCpuPercent, scaleOutCooldown, maxTasks } = this.policy;
    const ratios = [(connections ?? 0) / targetConnections, (cpuPercent ?? 0) / targetCpuPercent];
    ratios.forEach((ratio, i) => {
      this.above[i] = ratio > 1 ? (this.above[i] ?? 0) + 1 : 0;
    });
    const wanted = Math.max(
      ...ratios.map((ratio, i) => ((this.above[i] ?? 0) >= HIGH_POINTS ? Math.ceil(tasks * ratio) : 0)),
    );
    if (wanted <= tasks || tasks >= maxTasks || minute - this.lastOut < scaleOutCooldown / 60) return tasks;
    this.lastOut = minute;
    return wanted;
  }

  private fewer(minute: number, { connections, cpuPercent }: Reading, tasks: number): number {
    const { connectionsBelow, cpuPercentBelow, minutes, percent, cooldown } = this.policy.scaleIn;
    const isLow =
      connections !== undefined &&
      cpuPercent !== undefined &&
      connections < connectionsBelow &&
      cpuPercent < cpuPercentBelow;
    this.below = isLow ? this.below + 1 : 0;
    if (this.below < minutes || minute - this.lastIn < cooldown / 60) return tasks;
    this.lastIn = minute;
    // A fraction of a task counts as one, a larger change is rounded down.
    return tasks - Math.max(1, Math.floor((tasks * percent) / 100));
  }
}
