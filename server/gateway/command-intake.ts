/**
 * Turns the text frames of one connection into commands. Owns the command rate and the counts of misbehaviour: answers
 * what it refuses, and closes a connection that keeps sending it. Never executes a command.
 */
import { AppError } from '../errors.ts';
import { TokenBucket } from '../limits/token-bucket.ts';
import { type Parsed, parseCommand } from '../protocol/codec.ts';
import type { Command } from '../protocol/commands.ts';
import type { Connection } from './connection.ts';
import { replyError, subjectOf } from './error-reply.ts';
import type { SessionContext } from './session-context.ts';

/** The connection is closed at this many invalid frames: a broken client, not a typo. */
const INVALID_FRAMES_MAX = 10;
/** The connection is closed when more commands than this were refused for their rate. */
const OVER_RATE_MAX = 1_000;

export class CommandIntake {
  private readonly connection: Connection;
  private readonly context: SessionContext;
  private readonly rate: TokenBucket;
  private invalidFrames = 0;
  private overRate = 0;

  constructor(connection: Connection, context: SessionContext) {
    this.connection = connection;
    this.context = context;
    this.rate = new TokenBucket(context.commandRate, context.commandRate * 2, performance.now());
  }

  /** The command in `text`; undefined when it was refused and answered. */
  take(text: string): Command | undefined {
    const waitMs = this.rate.take(performance.now());
    const parsed = parseCommand(text);
    if (waitMs > 0) return this.refuseForRate(parsed, waitMs);
    if (!parsed.ok) return this.refuseInvalid(parsed.message, parsed.id);
    this.context.metrics.add('holdfast.commands', 1, { type: parsed.command.type });
    return parsed.command;
  }

  private refuseForRate(parsed: Parsed, retryAfterMs: number): undefined {
    const { commandRate } = this.context;
    const text = `This connection sends more than ${commandRate} commands per second (COMMAND_RATE); wait retry_after_ms.`;
    const id = parsed.ok ? subjectOf(parsed.command).id : parsed.id;
    replyError(this.connection, this.context, new AppError('rate_limited', text, { retryAfterMs }), { id });
    if (++this.overRate > OVER_RATE_MAX) this.connection.close('rate_limited');
  }

  private refuseInvalid(message: string, id: string | undefined): undefined {
    replyError(this.connection, this.context, new AppError('bad_request', message), { id });
    if (++this.invalidFrames >= INVALID_FRAMES_MAX) this.connection.close('protocol_violation');
  }
}
