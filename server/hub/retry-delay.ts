/** Pause before the hub reads the history again after a failure: 250 to 1,000 ms, random so that channels do not retry in step. */
export function retryDelay(): number {
  return 250 + Math.random() * 750;
}
