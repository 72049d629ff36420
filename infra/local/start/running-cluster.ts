/**
 * Finds the cluster that `npm start` runs from this checkout, for programs that talk to one, such as
 * `npm run probe`. Starts nothing.
 */
import { runningLauncher } from './orphans.ts';
import { readState, stateDirectory } from './state.ts';

export interface RunningCluster {
  /** Of the balancer, or of the first node: `http://127.0.0.1:port`. */
  readonly url: string;
  /** HS256 secret that its nodes check tokens with. */
  readonly secret: string;
  /** The state directory that names it. */
  readonly directory: string;
}

/** @throws Error when the state file exists and is not one of Holdfast */
export function findRunningCluster(directory = stateDirectory()): RunningCluster | undefined {
  const state = readState(directory);
  if (state?.url === undefined || runningLauncher(state) === undefined) return undefined;
  return { url: state.url, secret: state.secret, directory };
}
