/** Runs once after all tests: stops what `global-setup.ts` left on `globalThis` (see `shared.ts`). */
export default async function tearDown() {
  await globalThis[Symbol.for('holdfast.tests.shared')]?.postgres?.stop();
}
