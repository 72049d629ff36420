/** The type of a rule. Types only. */
import type { Environment } from '../types.ts';

/**
 * Checks one property of an environment. Returns the problem as a sentence for the engineer who runs the synth: the
 * value's path in `values.ts`, what is wrong with it, and what to set instead. Returns undefined or false when there is
 * no problem.
 */
export type Rule = (environment: Environment) => string | undefined | false;
