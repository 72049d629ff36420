/**
 * A publisher that retries each message under one client_msg_id until it is acknowledged, as the documentation asks of
 * applications, and reports every acknowledgement to the delivery auditor.
 */
import type { Auditor } from '../../server/audit/auditor.ts';
import { type Posted, post } from './api.ts';
import { sleep } from './wait.ts';

export interface AuditedPublisherOptions {
  readonly auditor: Auditor;
  readonly name: string;
  readonly token: string;
  /** Address of the next request; called before each attempt. */
  readonly url: () => string;
  readonly random?: () => number;
}

const RETRY_MS = 200;

export class AuditedPublisher {
  /** Acknowledged messages, failed attempts, and acknowledgements of a message that an earlier attempt had stored. */
  acknowledged = 0;
  failures = 0;
  duplicates = 0;
  private readonly options: AuditedPublisherOptions;
  private readonly random: () => number;
  private sequence = 0;

  constructor(options: AuditedPublisherOptions) {
    this.options = options;
    this.random = options.random ?? Math.random;
  }

  /** Resolves when the message is acknowledged, after any number of attempts. */
  async publish(channel: string, { padding, signal }: { padding?: string; signal?: AbortSignal } = {}): Promise<void> {
    const data = { from: this.options.name, n: ++this.sequence, ...(padding !== undefined && { padding }) };
    const body = { channel, data, client_msg_id: `${this.options.name}-${this.sequence}` };
    while (!signal?.aborted) {
      const answer = await this.attempt(body);
      if (answer?.ok) {
        this.acknowledged++;
        if (answer.duplicate) this.duplicates++;
        this.options.auditor.acknowledged(channel, { epoch: answer.epoch, offset: answer.offset }, data);
        return;
      }
      this.failures++;
      if (answer && !isRetryable(answer)) throw new Error(`A publish was refused: ${JSON.stringify(answer.error)}`);
      await sleep(this.random() * RETRY_MS);
    }
  }

  /** Undefined when no answer came: then the message may or may not be stored. */
  private async attempt(body: Record<string, unknown>): Promise<Posted | undefined> {
    try {
      return await post(this.options.url(), this.options.token, body);
    } catch {
      return undefined;
    }
  }
}

/** By status alone: a balancer that finds no node answers 502 to 504, and not in the error format of the server. */
function isRetryable(answer: Posted): boolean {
  return answer.status >= 500 || answer.status === 429;
}
