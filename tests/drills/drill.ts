/** Injects a fault, and measures through the API of Prometheus when its alerts fire and resolve. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './faults.ts';
import type { Factor, Stage } from './stage.ts';

export interface Drilled {
  readonly alert: string;
  readonly fault: string;
  readonly factor: Factor;
  /** Seconds from the fault until the alert fired; undefined: it did not fire in time. */
  readonly toFire: number | undefined;
  /** Seconds from the end of the fault until the alert resolved; undefined: it did not resolve in time. */
  readonly toResolve: number | undefined;
}

const POLL_MS = 200;
/** Longest wait for an alert to fire, and to resolve. Milliseconds. */
const WAIT_MS = 120_000;

/** Runs one fault. An alert that does not fire or resolve is `undefined` in the result. @throws Error when an alert fires before the fault */
export async function drill(stage: Stage, { fault, alerts, inject }: Fault): Promise<Drilled[]> {
  const wanted = Object.entries(alerts);
  await waitUntilSilent(stage, wanted);
  const begin = performance.now();
  const heal = await inject(stage);
  const fired = await times(wanted, begin, (name, factor) => isFiring(stage, name, factor));
  const healed = performance.now();
  await heal();
  const resolved = await times(wanted, healed, async (name, factor) => !(await isFiring(stage, name, factor)));
  return wanted.map(([alert, factor]) => ({
    alert,
    fault,
    factor,
    toFire: fired.get(alert),
    toResolve: fired.has(alert) ? resolved.get(alert) : undefined,
  }));
}

/** Waits until none of these alerts fires: the previous fault may have fired them too. @throws Error with those that still fire */
async function waitUntilSilent(stage: Stage, alerts: readonly [string, Factor][]): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const states = await Promise.all(alerts.map(([name, factor]) => isFiring(stage, name, factor)));
    const firing = alerts.filter((_, i) => states[i]).map(([name]) => name);
    if (firing.length === 0) return;
    if (performance.now() > deadline) throw new Error(`Alerts fire before the fault: ${firing.join(', ')}`);
    await sleep(POLL_MS);
  }
}

async function isFiring({ prometheus }: Stage, name: string, factor: Factor): Promise<boolean> {
  return (await prometheus[factor].firing()).includes(name);
}

type Holds = (name: string, factor: Factor) => Promise<boolean>;

/** Seconds from `begin` until `holds`, for each alert for which it held in time. */
async function times(wanted: readonly [string, Factor][], begin: number, holds: Holds): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  while (found.size < wanted.length && performance.now() - begin < WAIT_MS) {
    for (const [name, factor] of wanted)
      if (!found.has(name) && (await holds(name, factor))) found.set(name, (performance.now() - begin) / 1_000);
    await sleep(POLL_MS);
  }
  return found;
}
