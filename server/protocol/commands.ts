/** Types of the commands, which clients send: derived from the schemas that validate them. */
import type { FromSchema } from 'json-schema-to-ts';
import type { COMMANDS } from './schemas.ts';

export type CommandType = keyof typeof COMMANDS;
export type CommandOf<T extends CommandType> = FromSchema<(typeof COMMANDS)[T]>;
export type Command = { [T in CommandType]: CommandOf<T> }[CommandType];
