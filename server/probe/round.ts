/**
 * One round of a probe: connect, publish through one node, receive through another, drop the connection, reconnect and
 * recover the missed messages, then audit all of them. It never retries: the first failure ends the round.
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
  /** Messages published while the receiver is connected, and again while it is disconnected. */
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
  /** The failed phase and the reason. */
  readonly failed?: { readonly phase: ProbePhase; readonly reason: string };
  /** Duration of each finished phase, seconds. */
  readonly seconds: Readonly<Partial<Record<ProbePhase, number>>>;
  /** Ids of the nodes of publisher and receiver. */
  readonly nodes: { readonly publisher: string; readonly receiver: string };
  /** Result of the audit. When an earlier phase failed: only the acknowledged messages that are not stored, as lost. */
  readonly findings?: Findings;
}

/** Connections opened to reach a second node. With two nodes and random balancing, 1 in 16 rounds finds no other node. */
const NODE_TRIES = 4;

/** Never rejects: a failure is part of the result. */
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
  /** Offset of each acknowledged message -> the random part of its data. */
  private readonly acknowledged = new Map<number, string>();
  private onReceived: () => void = () => {};

  constructor(options: RoundOptions) {
    this.options = options;
  }

  async run(): Promise<RoundResult> {
    try {
      const findings = await this.runPhases();
      return {
        ...this.result(),
        ok: isClean(findings),
        ...(!isClean(findings) && this.auditFailure(findings)),
        findings,
      };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const lost = await this.unstored();
      const findings = lost > 0 && { findings: { received: 0, lost, duplicated: 0, reordered: 0, altered: 0 } };
      return { ...this.result(), ok: false, failed: { phase: this.phase, reason }, ...findings };
    } finally {
      for (const connection of this.open) connection.close();
    }
  }

  private async runPhases(): Promise<Findings> {
    const { url, channel, timeoutMs, messages } = this.options;
    const token = await this.options.token();
    this.history = httpHistory({ url, token, timeoutMs });
    const auditor = new Auditor({ history: this.history });
    const ledger = auditor.receiver('probe');

    const tickets = await this.time('ticket', () =>
      Promise.all([getTicket(url, token, timeoutMs), getTicket(url, token, timeoutMs)]),
    );
    const [publisher, first] = await this.time('connect', () =>
      Promise.all([this.connect(tickets[0]), this.connect(tickets[1])] as const),
    );
    this.publisher = publisher;
    let receiver = await this.onAnotherNode(first, token);
    ledger.subscribed(await this.time('subscribe', () => this.listen(receiver, ledger)));
    await this.time('publish', () => this.publish(publisher, auditor, messages));
    await this.time('receive', () => this.waitForNewest(messages));

    receiver.drop();
    ledger.disconnected();
    await this.publish(publisher, auditor, messages);
    receiver = await this.time('reconnect', async () => this.connect(await getTicket(url, token, timeoutMs)));
    await this.time('recover', async () => {
      const from = ledger.position(channel);
      const reply = await this.listen(receiver, ledger, from);
      ledger.subscribed(reply);
      if (!reply.recovered) throw new Error(`The position was not recovered: ${reply.reason}.`);
      await this.waitForNewest(2 * messages);
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

  /** Returns a connection to another node than that of the publisher, or to the same node after NODE_TRIES connections. */
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

  /** Subscribes, and reports the messages to the auditor. The caller reports the reply, which comes before them. */
  private listen(receiver: ProbeConnection, ledger: AuditedReceiver, from?: Position) {
    receiver.onMessage = (message) => {
      ledger.message(message);
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

  /** Resolves when the newest message has arrived. The auditor finds out whether messages before it are missing. */
  private waitForNewest(count: number): Promise<void> {
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

  /** Number of acknowledged messages that the history does not store; 0 when it cannot be read. */
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

  private auditFailure(findings: Findings) {
    const { received: _, ...bad } = findings;
    const what = Object.entries(bad).flatMap(([kind, count]) => (count > 0 ? [`${count} ${kind}`] : []));
    return { failed: { phase: 'audit' as const, reason: `Of the acknowledged messages: ${what.join(', ')}.` } };
  }
}

function isClean({ lost, duplicated, reordered, altered }: Findings): boolean {
  return lost + duplicated + reordered + altered === 0;
}
