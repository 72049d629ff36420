/**
 * The handler of each command, for authenticated connections. To add a command: its schema in `protocol/schemas.ts`, its
 * handler here; the compiler reports a missing one. A handler throws an AppError to answer with `error`.
 */
import { AppError } from '../errors.ts';
import type { Command, CommandOf, CommandType } from '../protocol/commands.ts';
import { ChannelOrder } from './channel-order.ts';
import type { Connection } from './connection.ts';
import { Publishes } from './publishes.ts';
import type { AuthenticatedConnection } from './session-context.ts';
import { Subscriptions } from './subscriptions.ts';

/** What handlers work with: one per authenticated connection. */
export interface HandlerScope {
  readonly connection: Connection;
  /** Orders the commands that concern the subscription of a channel. */
  readonly order: ChannelOrder;
  readonly subscriptions: Subscriptions;
  readonly publishes: Publishes;
}

export function createHandlerScope(owner: AuthenticatedConnection): HandlerScope {
  const order = new ChannelOrder();
  return {
    connection: owner.connection,
    order,
    subscriptions: new Subscriptions(owner),
    publishes: new Publishes(owner, order),
  };
}

type Handler<C> = (scope: HandlerScope, command: C) => void | Promise<void>;

const HANDLERS: { readonly [T in CommandType]: Handler<CommandOf<T>> } = {
  auth() {
    throw new AppError('bad_request', 'This connection is authenticated already; open another to change the user.');
  },
  subscribe({ order, subscriptions }, command) {
    return order.run(command.channel, () => subscriptions.subscribe(command));
  },
  unsubscribe({ order, subscriptions }, command) {
    return order.run(command.channel, async () => subscriptions.unsubscribe(command));
  },
  publish({ publishes }, command) {
    return publishes.publish(command);
  },
  typing_start({ subscriptions }, { channel }) {
    subscriptions.sendTyping(channel, true);
  },
  typing_stop({ subscriptions }, { channel }) {
    subscriptions.sendTyping(channel, false);
  },
  presence({ order, subscriptions }, command) {
    return order.run(command.channel, () => subscriptions.joinPresence(command));
  },
  ping({ connection }) {
    connection.pong();
  },
  pong() {
    // Nothing to do: the connection counts every frame as a sign of life.
  },
};

/** Executes one command. Rejects with what its handler throws. */
export async function handleCommand(scope: HandlerScope, command: Command): Promise<void> {
  // The table's type ties each handler to its command; indexing by a union loses that tie.
  const handler = HANDLERS[command.type] as Handler<Command>;
  await handler(scope, command);
}
