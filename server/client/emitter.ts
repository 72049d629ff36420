/**
 * Typed listeners, and the guard around every call into application code. An exception or a rejection of a callback is
 * reported as an error and must never reach the code of the client.
 */
import { HoldfastError } from './errors.ts';

/** Calls `callback`. If it throws or rejects, `report` receives a `callback_failed` error. */
export function guarded<T>(
  callback: ((value: T) => unknown) | undefined,
  value: T,
  report: (error: HoldfastError) => void,
): void {
  if (!callback) return;
  const failed = (cause: unknown): void =>
    report(new HoldfastError('callback_failed', `A callback failed: ${String(cause)}`, { cause }));
  try {
    const result = callback(value);
    if (result instanceof Promise) result.catch(failed);
  } catch (thrown) {
    failed(thrown);
  }
}

/** A set of listeners per event name. `Events` maps each name to the type of its value. */
export class Emitter<Events extends object> {
  readonly #listeners: { [K in keyof Events]?: Set<(value: Events[K]) => unknown> } = {};
  readonly #report: (error: HoldfastError) => void;

  /** @param report receives the errors of listeners */
  constructor(report: (error: HoldfastError) => void) {
    this.#report = report;
  }

  /** Adds a listener and returns a function that removes it. */
  on<K extends keyof Events>(name: K, listener: (value: Events[K]) => unknown): () => void {
    let listeners = this.#listeners[name];
    if (!listeners) {
      listeners = new Set();
      this.#listeners[name] = listeners;
    }
    listeners.add(listener);
    return () => void this.#listeners[name]?.delete(listener);
  }

  emit<K extends keyof Events>(name: K, value: Events[K]): void {
    for (const listener of [...(this.#listeners[name] ?? [])]) guarded(listener, value, this.#report);
  }
}
