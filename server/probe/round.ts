/**
 * One round of a probe, phase by phase: get in, publish through one node, receive through another, lose the connection,
 * come back and recover what was missed, and compare all of it with what was acknowledged.
 */
import { randomUUID } from 'node:crypto';
import { type AuditedReceiver, Auditor, type HistorySource } from '../audit/auditor.ts';
import { httpHistory } from '../audit/http-history.ts';
import type { Position } from '../protocol/messages.ts';
import type { ProbePhase } from '../telemetry/catalogue.ts';
import { getTicket } from './access.ts';
import { ProbeConnection } from './connection.ts';

export interface RoundOptions {
  readonly url: string;
  readonly channel: string;
  readonly token: () => Promise<string>;
  readonly timeoutMs: number;
  /** Published live, and again while the receiver is away. */
  readonly messages: number;
}

export interface Findings {
  readonly received: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly altered: number;
}

export interface RoundResult {
  readonly ok: boolean;
  /** Where and why it failed. */
  readonly failed?: { readonly phase: ProbePhase; readonly reason: string };
  /** Seconds of each phase that was finished. */
  readonly seconds: Readonly<Partial<Record<ProbePhase, number>>>;
  /** Nodes of publisher and receiver. */
  readonly nodes: { readonly publisher: string; readonly receiver: string };
  /** Of a round that came to its end; of one that did not, only what was acknowledged and is not stored. */
  readonly findings?: Findings;
}

/** Connections opened to find a second node; with two nodes one in sixteen rounds finds none, and tests only one. */
const NODE_TRIES = 4;

/** Never rejects: what went wrong is the result. */
export function runRound(options: RoundOptions): Promise<RoundResult> {
  return new Round(options).run();
}

class Round {
  private readonly options: RoundOptions;
  private readonly seconds: Partial<Record<ProbePhase, number>> = {};
  private readonly open = new Set<ProbeConnection>();
  private phase: ProbePhase = 'ticket';
  private publisher: ProbeConnection | undefined;
  private receiverNode = '';
  private newest: Position | undefined;
  private received = 0;
  private history: HistorySource | undefined;
  /** What was acknowledged: offset -> the random part of its data. */
  private readonly acknowledged = new Map<number, string>();
  private onReceived: () => void = () => {};

  constructor(options: RoundOptions) {
    this.options = options;
  }

  async run(): Promise<RoundResult> {
    try {
      const findings = await this.play();
      return { ...this.result(), ok: isClean(findings), ...(!isClean(findings) && this.broken(findings)), findings };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const lost = await this.unstored();
      const findings = lost > 0 && { findings: { received: 0, lost, duplicated: 0, reordered: 0, altered: 0 } };
      return { ...this.result(), ok: false, failed: { phase: this.phase, reason }, ...findings };
    } finally {
      for (const connection of this.open) connection.close();
    }
  }

  private async play(): Promise<Findings> {
    const { url, channel, timeoutMs, messages } = this.options;
    const token = await this.options.token();
    this.history = httpHistory({ url, token, timeoutMs });
    const auditor = new Auditor({ history: this.history });
    const ear = auditor.receiver('probe');

    const tickets = await this.time('ticket', () =>
      Promise.all([getTicket(url, token, timeoutMs), getTicket(url, token, timeoutMs)]),
    );
    const [publisher, first] = await this.time('connect', () =>
      Promise.all([this.connect(tickets[0]), this.connect(tickets[1])] as const),
    );
    this.publisher = publisher;
    let receiver = await this.onAnotherNode(first, token);
    ear.subscribed(await this.time('subscribe', () => this.listen(receiver, ear)));
    await this.time('publish', () => this.publish(publisher, auditor, messages));
    await this.time('receive', () => this.arrived(messages));

    receiver.drop();
    ear.disconnected();
    await this.publish(publisher, auditor, messages);
    receiver = await this.time('reconnect', async () => this.connect(await getTicket(url, token, timeoutMs)));
    await this.time('recover', async () => {
      const from = ear.position(channel);
      const reply = await this.listen(receiver, ear, from);
      ear.subscribed(reply);
      if (!reply.recovered) throw new Error(`The position was not recovered: ${reply.reason}.`);
      await this.arrived(2 * messages);
    });
    return this.time('audit', async () => {
      const { inOrder, late, lost, unstored, duplicated, reordered, altered } = await auditor.close();
      return { received: inOrder, lost: lost + late + unstored, duplicated, reordered, altered };
    });
  }

  private async time<T>(phase: ProbePhase, work: () => Promise<T>): Promise<T> {
    this.phase = phase;
    const begin = performance.now();
    const result = await work();
    this.seconds[phase] = (performance.now() - begin) / 1_000;
    return result;
  }

  private async connect(ticket: string): Promise<ProbeConnection> {
    const { url, timeoutMs } = this.options;
    const connection = await ProbeConnection.open({ url, ticket, timeoutMs });
    this.open.add(connection);
    return connection;
  }

  /** One on another node than the publisher's, if there is one within a few tries; else the first. */
  private async onAnotherNode(first: ProbeConnection, token: string): Promise<ProbeConnection> {
    const { url, timeoutMs } = this.options;
    let connection = first;
    for (let i = 1; i < NODE_TRIES && connection.nodeId === this.publisher?.nodeId; i++) {
      connection.close();
      connection = await this.connect(await getTicket(url, token, timeoutMs));
    }
    this.receiverNode = connection.nodeId;
    return connection;
  }

  /** Subscribes, and reports what arrives; the caller reports the reply, which comes before all of it. */
  private listen(receiver: ProbeConnection, ear: AuditedReceiver, from?: Position) {
    receiver.onMessage = (message) => {
      ear.message(message);
      this.received = Math.max(this.received, message.offset);
      this.onReceived();
    };
    return receiver.subscribe(this.options.channel, from);
  }

  private async publish(publisher: ProbeConnection, auditor: Auditor, count: number): Promise<void> {
    const { channel } = this.options;
    for (let i = 0; i < count; i++) {
      const data = { probe: randomUUID(), at: Date.now() };
      const { epoch, offset } = await publisher.publish(channel, data);
      this.acknowledged.set(offset, data.probe);
      auditor.acknowledged(channel, { epoch, offset }, data);
      this.newest = { epoch, offset };
    }
  }

  /** Resolves when the newest message has been received: what is missing before it is for the auditor to find. */
  private arrived(count: number): Promise<void> {
    const { timeoutMs } = this.options;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`The last of ${count} acknowledged messages had not arrived after ${timeoutMs} ms.`)),
        timeoutMs,
      );
      this.onReceived = () => {
        if (this.received < (this.newest?.offset ?? 0)) return;
        clearTimeout(timer);
        resolve();
      };
      this.onReceived();
    });
  }

  /** How many acknowledged messages the history does not hold; 0 too when it cannot be read now. */
  private async unstored(): Promise<number> {
    const first = Math.min(...this.acknowledged.keys());
    if (!this.history || !Number.isFinite(first)) return 0;
    const page = await this.history(this.options.channel, first - 1).catch(() => undefined);
    if (!page) return 0;
    const stored = new Map(page.messages.map(({ offset, data }) => [offset, (data as { probe?: string }).probe]));
    return [...this.acknowledged].filter(([offset, probe]) => stored.get(offset) !== probe).length;
  }

  private result() {
    return { seconds: this.seconds, nodes: { publisher: this.publisher?.nodeId ?? '', receiver: this.receiverNode } };
  }

  private broken(findings: Findings) {
    const { received: _, ...bad } = findings;
    const what = Object.entries(bad).flatMap(([kind, count]) => (count > 0 ? [`${count} ${kind}`] : []));
    return { failed: { phase: 'audit' as const, reason: `Of what was acknowledged: ${what.join(', ')}.` } };
  }
}

function isClean({ lost, duplicated, reordered, altered }: Findings): boolean {
  return lost + duplicated + reordered + altered === 0;
}
