/**
 * The tasks of the simulation, with their connections: start, serve, drain, fail, and refuse what exceeds their limits.
 * Decides nothing about the number of tasks. Keeps the sum of connected and waiting clients equal to the wanted one.
 */
import type { Environment } from '../../environments/types.ts';
import { WaitingClients } from './clients.ts';

/** Values that the environment does not contain. They are assumptions; replace them by measurements. */
export interface Assumptions {
  /** Time from the decision until a task serves, seconds: placement, image pull, start, two health checks. */
  readonly taskStartSeconds: number;
  /** Mean lifetime of a connection, seconds: laptops sleep, phones change networks, tabs are closed. */
  readonly lifetimeSeconds: number;
  /** CPU of a task per 1,000 connections, and of an idle task, percent. */
  readonly cpuPerThousand: number;
  readonly cpuIdle: number;
}

export const ASSUMPTIONS: Assumptions = {
  taskStartSeconds: 90,
  lifetimeSeconds: 3_600,
  cpuPerThousand: 2.5,
  cpuIdle: 2,
};

interface Task {
  connections: number;
  /** Second at which the task begins to serve. */
  readonly servesAt: number;
  /** Second at which the load balancer cuts the remaining connections. Undefined when the task is not draining. */
  endsAt: number | undefined;
}

export interface FleetState {
  readonly serving: number;
  readonly starting: number;
  readonly draining: number;
  readonly connected: number;
  readonly waiting: number;
  readonly fullest: number;
  /** Further connections that the serving tasks could accept. */
  readonly room: number;
}

/** Time over which reconnects spread, seconds: `reconnect.after_ms` after a drain, the first backoff after a loss. */
const AFTER_DRAIN_S = 5;
const AFTER_LOSS_S = 2;

export class Fleet {
  /** Connections cut at the end of a drain. */
  cut = 0;
  /** Connection attempts that tasks refused. */
  refused = 0;
  private tasks: Task[] = [];
  private wanted = 0;
  private readonly service: Environment['service'];
  private readonly assumptions: Assumptions;
  private readonly stepSeconds: number;
  private readonly waiting: WaitingClients;

  constructor(service: Environment['service'], assumptions: Assumptions, stepSeconds: number) {
    this.service = service;
    this.assumptions = assumptions;
    this.stepSeconds = stepSeconds;
    this.waiting = new WaitingClients(stepSeconds);
  }

  /** Starts with `tasks` serving tasks that share `connections` evenly. */
  begin(tasks: number, connections: number): void {
    const each = Math.min(connections / tasks, this.service.maxConnections);
    this.tasks = Array.from({ length: tasks }, () => ({ connections: each, servesAt: 0, endsAt: undefined }));
    this.wanted = each * tasks;
  }

  /** Advances by one step: starts and stops tasks to have `desired` of them, drains, and moves clients. */
  step(index: number, wanted: number, desired: number): void {
    const second = index * this.stepSeconds;
    this.endDrained(second, index);
    this.setTasks(second, desired);
    this.follow(index, wanted);
    this.churn(index);
    this.drain(index);
    this.connect(index, second);
  }

  /** Removes a share of the serving tasks at once, without a drain. Their clients reconnect. */
  lose(index: number, share: number): void {
    const second = index * this.stepSeconds;
    const serving = this.serving(second);
    for (const task of serving.slice(0, Math.round(serving.length * share))) {
      this.waiting.spread(index, task.connections, AFTER_LOSS_S);
      this.tasks.splice(this.tasks.indexOf(task), 1);
    }
  }

  /** Averages of what the running tasks report, as CloudWatch computes them. Undefined when no task runs. */
  readings(second: number): { readonly connections: number; readonly cpuPercent: number } | undefined {
    const running = this.tasks.filter((task) => task.servesAt <= second);
    if (running.length === 0) return undefined;
    const connections = sum(running) / running.length;
    const { cpuIdle, cpuPerThousand } = this.assumptions;
    return { connections, cpuPercent: Math.min(100, cpuIdle + (cpuPerThousand * connections) / 1_000) };
  }

  state(second: number): FleetState {
    const serving = this.serving(second);
    return {
      serving: serving.length,
      starting: this.tasks.filter((task) => task.servesAt > second).length,
      draining: this.tasks.filter((task) => task.endsAt !== undefined).length,
      connected: sum(this.tasks),
      waiting: this.waiting.count,
      fullest: Math.max(0, ...this.tasks.map((task) => task.connections)),
      room: serving.length * this.service.maxConnections - sum(serving),
    };
  }

  private serving(second: number): Task[] {
    return this.tasks.filter((task) => task.servesAt <= second && task.endsAt === undefined);
  }

  private endDrained(second: number, index: number): void {
    const ended = this.tasks.filter((task) => task.endsAt !== undefined && second >= task.endsAt);
    for (const task of ended) {
      this.cut += task.connections;
      this.waiting.spread(index, task.connections, AFTER_LOSS_S);
    }
    this.tasks = this.tasks.filter((task) => !ended.includes(task));
  }

  private setTasks(second: number, desired: number): void {
    const present = this.tasks.filter((task) => task.endsAt === undefined);
    for (let i = present.length; i < desired; i++)
      this.tasks.push({ connections: 0, servesAt: second + this.assumptions.taskStartSeconds, endsAt: undefined });
    // ECS decides which tasks it stops. The oldest are the fullest, so this is the worst case.
    for (const task of present.slice(0, Math.max(0, present.length - desired)))
      task.endsAt = second + this.service.deregistrationDelay;
  }

  private follow(index: number, wanted: number): void {
    const change = wanted - this.wanted;
    this.wanted = wanted;
    if (change >= 0) {
      this.waiting.spread(index, change, this.stepSeconds);
      return;
    }
    const clients = sum(this.tasks) + this.waiting.count;
    const share = clients > 0 ? Math.min(1, -change / clients) : 0;
    this.waiting.remove(this.waiting.count * share);
    for (const task of this.tasks) task.connections *= 1 - share;
  }

  private churn(index: number): void {
    const share = 1 - Math.exp(-this.stepSeconds / this.assumptions.lifetimeSeconds);
    for (const task of this.tasks) this.leave(index, task, task.connections * share, AFTER_LOSS_S);
  }

  private drain(index: number): void {
    for (const task of this.tasks)
      if (task.endsAt !== undefined) this.leave(index, task, this.service.drainRate * this.stepSeconds, AFTER_DRAIN_S);
  }

  private leave(index: number, task: Task, count: number, seconds: number): void {
    const leaving = Math.min(count, task.connections);
    task.connections -= leaving;
    this.waiting.spread(index, leaving, seconds);
  }

  /** Distributes attempts evenly over serving tasks; each accepts what its limits allow and refuses the rest. */
  private connect(index: number, second: number): void {
    const serving = this.serving(second);
    const limit = this.service.acceptRate * this.stepSeconds;
    const left = new Map(
      serving.map((task) => [task, Math.min(limit, this.service.maxConnections - task.connections)]),
    );
    for (const [attempt, count] of this.waiting.take(index)) {
      let refused = serving.length === 0 ? count : 0;
      for (const task of serving) {
        const share = count / serving.length;
        const taken = Math.min(share, Math.max(0, left.get(task) ?? 0));
        left.set(task, (left.get(task) ?? 0) - taken);
        task.connections += taken;
        refused += share - taken;
      }
      this.refused += refused;
      if (refused > 0) this.waiting.refuse(index, refused, attempt);
    }
  }
}

function sum(tasks: readonly { readonly connections: number }[]): number {
  return tasks.reduce((total, { connections }) => total + connections, 0);
}
