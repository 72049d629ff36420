/** Sends an `error` push in reply to a command that failed, and counts it. Never closes the connection. */
import { errorBody, toAppError } from '../errors.ts';
import type { Command } from '../protocol/commands.ts';
import type { Connection } from './connection.ts';
import type { SessionContext } from './session-context.ts';

/** The fields of a command that its `error` repeats, so that the client can match the two. */
export interface ErrorSubject {
  readonly id?: string | undefined;
  readonly channel?: string | undefined;
}

export function subjectOf(command: Command): ErrorSubject {
  return {
    id: 'id' in command ? command.id : undefined,
    channel: 'channel' in command ? command.channel : undefined,
  };
}

export function replyError(
  connection: Connection,
  { metrics, onError }: Pick<SessionContext, 'metrics' | 'onError'>,
  thrown: unknown,
  { id, channel }: ErrorSubject,
): void {
  const error = toAppError(thrown);
  if (error.code === 'internal') onError('A WebSocket command failed with an unexpected error.', error.cause);
  metrics.add('holdfast.errors', 1, { code: error.code });
  connection.push({
    type: 'error',
    ...(id !== undefined && { id }),
    ...(channel !== undefined && { channel }),
    ...errorBody(error),
  });
}
