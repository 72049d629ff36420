/**
 * A client of the simulation, which checks what it receives: offsets rise by one from the reported position, messages are those of the
 * history, and a loss is reported only when messages are really gone.
 */
import type { Sink, SubscriptionHandle } from '../../server/hub/types.ts';
import type { Message, Position, Subscribed } from '../../server/protocol/messages.ts';
import type { SimulatedNode, World } from './simulation.ts';

/** Texts of consecutive unmasked frames. */
export function decodeFrames(bytes: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== 0x81) throw new Error(`not a text frame at byte ${at}`);
    let length = bytes[at + 1] as number;
    at += 2;
    if (length === 126) {
      length = bytes.readUInt16BE(at);
      at += 2;
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(at));
      at += 8;
    }
    texts.push(bytes.toString('utf8', at, at + length));
    at += length;
  }
  return texts;
}

export class SimulatedClient {
  readonly channel: string;
  position: Position | undefined;
  private readonly world: World;
  private readonly name: string;
  private handle: SubscriptionHandle | undefined;
  private sink: SimulatedSink | undefined;
  private connecting = false;
  private node: SimulatedNode;

  constructor(world: World, name: string, channel: string, node: SimulatedNode) {
    this.world = world;
    this.name = name;
    this.channel = channel;
    this.node = node;
  }

  /** Subscribes through `node` and recovers from its position, if it has one. Retries a failed subscribe. */
  connect(node: SimulatedNode): void {
    if (this.handle || this.connecting) return;
    this.connecting = true;
    this.node = node;
    const sink = new SimulatedSink((frames) => this.receive(frames));
    this.sink = sink;
    const recover = this.position && { ...this.position };
    let answered = false;
    const onPosition = (told: Omit<Subscribed, 'type' | 'id'>) => {
      this.judgePosition(told, answered ? this.position : recover);
      answered = true;
      this.position = { epoch: told.epoch, offset: told.offset };
    };
    this.node.hub.subscribe(sink, { channel: this.channel, recover, onPosition }).then(
      (handle) => {
        this.connecting = false;
        if (sink.ended) handle.close();
        else this.handle = handle;
      },
      () => {
        this.connecting = false;
        if (!sink.ended) this.world.later(() => this.connect(this.node));
      },
    );
  }

  disconnect(): void {
    this.sink?.end();
    this.handle?.close();
    this.handle = undefined;
  }

  block(): void {
    // After one to three more writes, so that a connection falls behind at any place in a flush or a page.
    if (this.sink?.isClear) this.sink.budget = 1 + Math.floor(this.world.random() * 3);
  }

  unblock(): void {
    if (!this.sink) return;
    const wasBlocked = !this.sink.isClear;
    this.sink.budget = Number.POSITIVE_INFINITY;
    if (wasBlocked) this.handle?.resume();
  }

  /** Not connected, or up to date. */
  get isDone(): boolean {
    if (this.connecting) return false;
    if (!this.handle) return true;
    return this.position?.epoch === this.world.epoch && this.position.offset === this.world.topOf(this.channel);
  }

  describe(): string {
    const state = this.connecting ? 'connecting' : this.handle ? 'connected' : 'away';
    const top = this.world.topOf(this.channel);
    return `${this.name} ${state} at ${this.position?.epoch}:${this.position?.offset} of ${this.world.epoch}:${top}`;
  }

  private receive(frames: Buffer): void {
    for (const text of decodeFrames(frames)) this.judgeMessage(JSON.parse(text) as Message);
  }

  private judgeMessage(message: Message): void {
    if (!this.position) throw this.fail('a message before any position');
    if (message.offset !== this.position.offset + 1) throw this.fail(`got offset ${message.offset}`);
    const stored = this.world.records.get(this.position.epoch)?.get(this.channel)?.[message.offset - 1];
    if (!stored || stored.id !== message.id)
      throw this.fail(`offset ${message.offset} is ${message.id}, stored ${stored?.id}`);
    this.position.offset = message.offset;
  }

  private judgePosition(told: Omit<Subscribed, 'type' | 'id'>, owed: Position | undefined): void {
    const { epoch, offset, recovered, reason, top } = told;
    if (top < offset) throw this.fail(`top ${top} below offset ${offset}`);
    if (!owed) {
      if (recovered || reason) throw this.fail('recovered without asking');
      return;
    }
    if (recovered) {
      if (epoch !== owed.epoch || offset !== owed.offset) throw this.fail(`recovered from ${epoch}:${offset} instead`);
      return;
    }
    const excuses: Record<string, boolean> = {
      epoch_changed: owed.epoch !== epoch,
      history_expired: owed.epoch === epoch && this.world.firstRetainedOf(this.channel) > owed.offset + 1,
    };
    if (!reason || !excuses[reason]) throw this.fail(`lost without cause: ${reason} at ${epoch}:${offset}`);
  }

  private fail(problem: string): Error {
    const error = new Error(`${this.name}: ${problem}; it was at ${JSON.stringify(this.position)}`);
    SimulatedClient.failures.push(error);
    return error;
  }

  /** Checks run inside callbacks of the hub, which may catch their errors; so failures are collected here. */
  static failures: Error[] = [];
}

class SimulatedSink implements Sink {
  readonly user = 'ann';
  budget = Number.POSITIVE_INFINITY;
  ended = false;
  private readonly receive: (frames: Buffer) => void;

  constructor(receive: (frames: Buffer) => void) {
    this.receive = receive;
  }

  get isClear(): boolean {
    return !this.ended && this.budget > 0;
  }

  get isIdle(): boolean {
    return this.isClear;
  }

  end(): void {
    this.ended = true;
  }

  write(frames: Buffer): boolean {
    if (this.ended) return false;
    this.receive(frames);
    this.budget--;
    return this.isClear;
  }
}
