/**
 * How AWS decides on the number of tasks, as its documents describe it. Target tracking adds tasks, in proportion to
 * the excess; our own step policy removes them (policy.ts says why). Pure. Time is in minutes, as alarms evaluate once
 * a minute. Sources: Application Auto Scaling, "Target tracking scaling policies" and "Step scaling policies". Where
 * they are unclear, the code takes the reading that is worse for us and marks it as "our reading".
 */
import type { ScalingPolicy } from './policy.ts';

/** Averages over all tasks that report. Undefined when no task did; then the number of tasks stays. */
export interface Reading {
  readonly connections: number | undefined;
  readonly cpuPercent: number | undefined;
}

/** Datapoints in a row above the target before target tracking adds tasks. */
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

  /** The desired number of tasks after this minute; `tasks` is the desired number before it. */
  decide(minute: number, reading: Reading, tasks: number): number {
    const { minTasks, maxTasks } = this.policy;
    const more = this.more(minute, reading, tasks);
    const fewer = this.fewer(minute, reading, tasks);
    // When several policies want a change, AWS takes the largest number of tasks.
    return Math.min(maxTasks, Math.max(minTasks, more > tasks ? more : fewer));
  }

  /**
   * Each metric can add tasks, in proportion. AWS allows a larger step during the cooldown; our reading: no step at
   * all.
   */
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
    // AWS rounds a change below one task up to one, and a larger change down.
    return tasks - Math.max(1, Math.floor((tasks * percent) / 100));
  }
}
