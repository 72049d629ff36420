/** The publishes of one connection: permission, the limit of those in flight, and the `ack` after the commit. */
import { requirePublish } from '../auth/authenticator.ts';
import { AppError } from '../errors.ts';
import type { CommandOf } from '../protocol/commands.ts';
import type { ChannelOrder } from './channel-order.ts';
import type { AuthenticatedConnection } from './session-context.ts';

/** `retry_after_ms` when too many publishes are in flight: longer than a group commit takes. */
const RETRY_IN_FLIGHT_MS = 100;

export class Publishes {
  private readonly owner: AuthenticatedConnection;
  private readonly order: ChannelOrder;
  private inFlight = 0;

  constructor(owner: AuthenticatedConnection, order: ChannelOrder) {
    this.owner = owner;
    this.order = order;
  }

  async publish(command: CommandOf<'publish'>): Promise<void> {
    requirePublish(this.owner.principal, command.channel);
    this.requireRoom();
    this.inFlight++;
    try {
      // A subscribe sent before this publish must begin before it. Publishes do not wait for each other.
      const before = this.order.pending(command.channel);
      if (before) await before;
      await this.store(command);
    } finally {
      this.inFlight--;
    }
  }

  private requireRoom(): void {
    const { maxInFlightPublishes } = this.owner.context;
    if (this.inFlight < maxInFlightPublishes) return;
    const text = `${maxInFlightPublishes} publishes of this connection wait for their ack (MAX_IN_FLIGHT_PUBLISHES); send this one again later.`;
    throw new AppError('rate_limited', text, { retryAfterMs: RETRY_IN_FLIGHT_MS });
  }

  private async store({ id, channel, data, client_msg_id: clientMsgId }: CommandOf<'publish'>): Promise<void> {
    const { connection, context } = this.owner;
    const request = { channel, data, clientMsgId };
    const { offset, epoch, duplicate } = await context.publisher.publish('ws', connection.user, request);
    connection.push({ type: 'ack', id, channel, offset, epoch, ...(duplicate && { duplicate }) });
  }
}
