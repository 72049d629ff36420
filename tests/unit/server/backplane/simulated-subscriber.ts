/**
 * A server of a Redis Cluster, the connection to it, and ioredis, for `ChannelReconciler`. Nothing happens by itself: each
 * method is one step, so that a test can run the steps in any order.
 *
 * ioredis has no means to tell the report that the server dropped a channel from an answer. The simulation treats it as
 * ioredis does: the report settles the oldest unanswered command, and the last answer finds no command.
 */
import { type ChannelCommand, ChannelReconciler } from '../../../../server/backplane/channel-reconciler.ts';

interface Sent {
  readonly kind: 'subscribe' | 'unsubscribe';
  readonly name: string;
  readonly subscribe?: Subscribe;
}

/** A SUBSCRIBE that the owner waits for. */
interface Subscribe {
  readonly command: ChannelCommand;
  readonly isFirst: boolean;
  unanswered: number;
  isSettled: boolean;
}

interface Reply {
  readonly kind: 'subscribed' | 'unsubscribed' | 'moved';
  readonly name: string;
}

export class SimulatedSubscriber {
  readonly channels = new ChannelReconciler([]);
  /** Channels that the application subscribes to, on any server of the cluster. */
  readonly wanted = new Set<string>();
  /** Channels whose slots the server owns, and those that it owns by the slot map that the node read last. */
  private readonly owned: Set<string>;
  private mapped: ReadonlySet<string>;
  /** Channels that were ever given to another server. */
  readonly everReleased = new Set<string>();
  /** The server's own record of this connection. */
  readonly actual = new Set<string>();
  private toServer: Sent[] = [];
  private toClient: Reply[] = [];
  /** Commands for which ioredis expects an answer. */
  private unanswered: Sent[] = [];
  private subscribes = new Set<Subscribe>();
  /** Promises of ioredis that are settled, and whose callbacks have not run yet. */
  private callbacks: (() => void)[] = [];
  /** Reports of dropped channels that are on their way, or took the place of an answer that is on its way. */
  private surplus = 0;

  constructor(names: readonly string[]) {
    this.owned = new Set(names);
    this.mapped = new Set(names);
  }

  /** Desired channels that the server does not have, but for those whose first SUBSCRIBE is unanswered. */
  get missing(): string[] {
    const first = new Set(
      [...this.subscribes].filter(({ isFirst }) => isFirst).flatMap(({ command }) => command.names),
    );
    return [...this.desired].filter((name) => !this.actual.has(name) && !first.has(name));
  }

  get desired(): Set<string> {
    return new Set([...this.wanted].filter((name) => this.mapped.has(name)));
  }

  /** Whether the node has received everything that the server reported. */
  get isInformed(): boolean {
    return this.surplus === 0;
  }

  open(): void {
    if (this.channels.isConnected) return;
    this.channels.opened();
    this.reconcile();
  }

  close(): void {
    this.channels.closed();
    this.actual.clear();
    this.toServer = [];
    this.toClient = [];
    this.unanswered = [];
    this.surplus = 0;
    // ioredis rejects what is unanswered; the owner ignores that, because the commands belong to an earlier connection.
    this.subscribes.clear();
  }

  want(name: string): void {
    if (this.wanted.has(name)) return;
    this.wanted.add(name);
    if (!this.mapped.has(name)) return;
    const command = this.channels.want(name);
    if (command) this.subscribe(command, true);
  }

  unwant(name: string): void {
    if (!this.wanted.delete(name) || !this.mapped.has(name)) return;
    if (this.channels.unwant(name)) this.send({ kind: 'unsubscribe', name });
    this.reconcile();
  }

  /** The slot of the channel moves to another server, or comes back. */
  moveSlot(name: string): void {
    if (!this.owned.delete(name)) this.owned.add(name);
    else if (this.actual.delete(name)) {
      this.toClient.push({ kind: 'unsubscribed', name });
      this.surplus++;
    }
  }

  /** The node reads the slot map. */
  refresh(): void {
    const before = this.mapped;
    this.mapped = new Set(this.owned);
    const gained = [...this.wanted].filter((name) => this.mapped.has(name) && !before.has(name));
    const released = [...this.wanted].filter((name) => !this.mapped.has(name) && before.has(name));
    for (const name of released) this.everReleased.add(name);
    this.channels.reassign(gained, released);
    this.reconcile();
  }

  /** The server executes the next command. */
  execute(): boolean {
    const sent = this.toServer.shift();
    if (!sent) return false;
    const { kind, name } = sent;
    if (!this.owned.has(name)) this.toClient.push({ kind: 'moved', name });
    else if (kind === 'subscribe') {
      this.actual.add(name);
      this.toClient.push({ kind: 'subscribed', name });
    } else {
      this.actual.delete(name);
      this.toClient.push({ kind: 'unsubscribed', name });
    }
    return true;
  }

  /** ioredis receives the next reply. */
  deliver(): boolean {
    const reply = this.toClient.shift();
    if (!reply) return false;
    const sent = this.unanswered.shift();
    if (!sent) this.reportSurplus(reply);
    else if (reply.kind !== 'moved') this.answer(sent);
    else if (sent.kind === 'subscribe') this.rejectAll();
    return true;
  }

  /** The owner handles the next settled promise. */
  settle(): boolean {
    const callback = this.callbacks.shift();
    callback?.();
    return callback !== undefined;
  }

  retry(): boolean {
    if (!this.channels.needsRetry) return false;
    this.channels.retry();
    this.reconcile();
    return true;
  }

  private reportSurplus({ kind, name }: Reply): void {
    this.surplus--;
    if (kind === 'unsubscribed') this.channels.dropped(name);
    else this.channels.confirmationsLost();
    this.reconcile();
  }

  private answer({ subscribe }: Sent): void {
    if (!subscribe || --subscribe.unanswered > 0) return;
    this.finish(subscribe, () => this.channels.confirmed(subscribe.command));
  }

  /** ioredis does not say which SUBSCRIBE was answered with MOVED, so all of them are rejected. */
  private rejectAll(): void {
    for (const subscribe of this.subscribes) this.finish(subscribe, () => this.channels.moved(subscribe.command));
  }

  private finish(subscribe: Subscribe, report: () => void): void {
    if (subscribe.isSettled) return;
    subscribe.isSettled = true;
    this.callbacks.push(() => {
      this.subscribes.delete(subscribe);
      report();
      this.reconcile();
    });
  }

  private reconcile(): void {
    const batch = this.channels.nextBatch();
    if (batch) this.subscribe(batch, false);
  }

  private subscribe(command: ChannelCommand, isFirst: boolean): void {
    const subscribe = { command, isFirst, unanswered: command.names.length, isSettled: false };
    this.subscribes.add(subscribe);
    for (const name of command.names) this.send({ kind: 'subscribe', name, subscribe });
  }

  private send(sent: Sent): void {
    this.toServer.push(sent);
    this.unanswered.push(sent);
  }
}
