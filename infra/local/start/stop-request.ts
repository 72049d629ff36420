/**
 * Turns signals into one stop request for the launcher. A second Ctrl-C ends all processes at once. Does not know how
 * to stop them in order.
 */
import { killAll } from '../../host/reaper.ts';

/**
 * The terminal and npm both deliver one Ctrl-C. A signal that follows within this time is the same one. Milliseconds.
 */
const ECHO_MS = 400;
const PARENT_CHECK_MS = 1_000;

export interface StopRequest {
  /** Aborts on the stop request, to cancel a start in progress. */
  readonly signal: AbortSignal;
  /** Resolves on the stop request, with its reason. */
  readonly wanted: Promise<string>;
}

/** Listens until the process exits. */
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
        console.error('Killed all processes.');
        killAll();
        process.exit(1);
      }
    };
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => request(name));
    watchParent(() => since === undefined && request('the end of npm'));
  });
  return { signal: controller.signal, wanted };
}

/** When npm is killed with SIGKILL, it forwards no signal, and its child would continue without a terminal. */
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
