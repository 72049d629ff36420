/** Fires alerts by their faults, and watches them in Prometheus' own API until they are quiet again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './faults.ts';
import type { Factor, Stage } from './stage.ts';

export interface Drilled {
  readonly alert: string;
  readonly fault: string;
  readonly factor: Factor;
  /** Seconds from the fault until it fired; undefined: it did not. */
  readonly toFire: number | undefined;
  /** Seconds from the end of the fault until it was quiet; undefined: it was not. */
  readonly toResolve: number | undefined;
}

const POLL_MS = 200;
/** Longest wait for an alert to fire, and to resolve. Milliseconds. */
const WAIT_MS = 120_000;

/** Injects, waits, heals, waits. Never rejects because of an alert; what did not happen is undefined in the result. */
export async function drill(stage: Stage, { fault, alerts, inject }: Fault): Promise<Drilled[]> {
  const wanted = Object.entries(alerts);
  await quiet(stage, wanted);
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

/** Waits until none of these fires: the fault before may have had to do with them too. @throws Error naming what still does */
async function quiet(stage: Stage, alerts: readonly [string, Factor][]): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const states = await Promise.all(alerts.map(([name, factor]) => isFiring(stage, name, factor)));
    const firing = alerts.filter((_, i) => states[i]).map(([name]) => name);
    if (firing.length === 0) return;
    if (performance.now() > deadline) throw new Error(`Still firing with nothing wrong: ${firing.join(', ')}`);
    await sleep(POLL_MS);
  }
}

async function isFiring({ prometheus }: Stage, name: string, factor: Factor): Promise<boolean> {
  return (await prometheus[factor].firing()).includes(name);
}

type Holds = (name: string, factor: Factor) => Promise<boolean>;

/** Seconds after which it held, for each alert for which it did in time. */
async function times(wanted: readonly [string, Factor][], begin: number, holds: Holds): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  while (found.size < wanted.length && performance.now() - begin < WAIT_MS) {
    for (const [name, factor] of wanted)
      if (!found.has(name) && (await holds(name, factor))) found.set(name, (performance.now() - begin) / 1_000);
    await sleep(POLL_MS);
  }
  return found;
}
