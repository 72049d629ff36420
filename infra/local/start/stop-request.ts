/**
 * Turns signals into one orderly stop of the launcher. A second Ctrl-C ends everything at once.
 * Decides when to stop, never what stopping means.
 */
import { killAll } from '../../host/reaper.ts';

/** Terminal and npm each deliver the same Ctrl-C: what follows this soon is an echo, not impatience. Milliseconds. */
const ECHO_MS = 400;
const PARENT_CHECK_MS = 1_000;

export interface StopRequest {
  /** Aborts when a stop is wanted: for work that can be given up. */
  readonly signal: AbortSignal;
  /** Resolves with the reason. */
  readonly wanted: Promise<string>;
}

/** Listens from now on, until the process ends. */
export function listenForStop(): StopRequest {
  const controller = new AbortController();
  let since: number | undefined;
  const wanted = new Promise<string>((resolve) => {
    const request = (reason: string) => {
      if (since === undefined) {
        since = performance.now();
        controller.abort(new Error(`Stopped by ${reason}.`));
        resolve(reason);
      } else if (performance.now() - since > ECHO_MS) {
        console.error('Stopped at once.');
        killAll();
        process.exit(1);
      }
    };
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => request(name));
    watchParent(() => since === undefined && request('the end of npm'));
  });
  return { signal: controller.signal, wanted };
}

/** npm killed with SIGKILL cannot pass anything on; what it started would go on without a terminal to stop it from. */
function watchParent(gone: () => void): void {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    gone();
  }, PARENT_CHECK_MS);
  timer.unref();
}
