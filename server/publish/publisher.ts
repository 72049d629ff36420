/**
 * Publishing, for WebSocket and HTTP alike: rate limit of the user, JSON text of the data, append, metrics, span. Does not check
 * permissions: the caller must have done so.
 */
import { AppError } from '../errors.ts';
import type { Appended, HistoryWriter } from '../history/types.ts';
import type { UserLimits } from '../limits/user-limits.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { startPublish } from '../telemetry/tracing.ts';

export interface PublishRequest {
  readonly channel: string;
  /** Any JSON value. */
  readonly data: unknown;
  readonly clientMsgId?: string | undefined;
  readonly traceparent?: string | undefined;
}

export interface Publisher {
  /** Resolves after the commit. @throws AppError `rate_limited`, `bad_request`, `unavailable`, `overloaded` */
  publish(via: 'ws' | 'http', user: string, request: PublishRequest): Promise<Appended>;
}

export function createPublisher(history: HistoryWriter, userLimits: UserLimits, metrics: Metrics): Publisher {
  const append = async (user: string, request: PublishRequest, begin: number): Promise<Appended> => {
    userLimits.requirePublishRate(user);
    const { channel, clientMsgId } = request;
    const data = toJson(request.data);
    metrics.record('holdfast.publish.stage.seconds', (performance.now() - begin) / 1000, VALIDATE);
    const span = startPublish(channel, request.traceparent);
    if (!span) return history.append({ channel, sender: user, data, clientMsgId });
    try {
      const appended = await history.append({
        channel,
        sender: user,
        data,
        clientMsgId,
        traceparent: span.traceparent,
      });
      span.end(appended);
      return appended;
    } catch (error) {
      span.fail(error);
      throw error;
    }
  };
  return {
    async publish(via, user, request) {
      const begin = performance.now();
      try {
        const appended = await append(user, request, begin);
        metrics.record('holdfast.publish.duration.seconds', (performance.now() - begin) / 1000, { via });
        metrics.add('holdfast.publishes', 1, { via, result: appended.duplicate ? 'duplicate' : 'stored' });
        return appended;
      } catch (error) {
        metrics.add('holdfast.publishes', 1, { via, result: isOurs(error) ? 'failed' : 'refused' });
        throw error;
      }
    },
  };
}

const VALIDATE = { stage: 'validate' } as const;

/** Whether the service caused the failure, and not the caller. */
function isOurs(error: unknown): boolean {
  return !(error instanceof AppError) || error.httpStatus >= 500;
}

function toJson(data: unknown): string {
  try {
    return JSON.stringify(data);
  } catch (error) {
    // Parsed JSON fails here for one reason only: JSON.stringify recurses and overflows the stack, JSON.parse does not.
    throw new AppError('bad_request', 'data is nested too deeply.', { cause: error });
  }
}
