/** Every mutant of the project. */
import { INFRA_MUTANTS } from './infra-mutants.ts';
import type { Mutant } from './mutant.ts';
import { SERVER_MUTANTS } from './server-mutants.ts';
import { TELEMETRY_MUTANTS } from './telemetry-mutants.ts';

export const MUTANTS: readonly Mutant[] = [...SERVER_MUTANTS, ...TELEMETRY_MUTANTS, ...INFRA_MUTANTS];
