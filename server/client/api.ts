/**
 * What the package exports on every platform besides `createClient`. Owns the list of public names and nothing else:
 * a type that is missing here cannot be named by an application.
 */
export type { ErrorCode } from '../protocol/codes.ts';
export type { Json, Message, Position, RecoveryFailure, Welcome } from '../protocol/messages.ts';
export type { BackoffOptions } from './backoff.ts';
export { type ClientErrorCode, HoldfastError, type HoldfastErrorOptions } from './errors.ts';
export type * from './types.ts';
