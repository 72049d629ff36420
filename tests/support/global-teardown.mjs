/** Runs once after all tests: stops what `global-setup.ts` left on `globalThis` (see `shared.ts`), and makes the run end. */

/** Jest has written its reports by then. Milliseconds. */
const GRACE_MS = 5_000;

export default async function tearDown() {
  await globalThis[Symbol.for('holdfast.tests.shared')]?.postgres?.stop();
  // A test that failed may leave connections and timers open. Jest sets the exit code in a listener of `exit`.
  setTimeout(() => process.exit(), GRACE_MS).unref();
}
