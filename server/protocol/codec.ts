/**
 * Parses text frames into commands, validated against the schemas, and encodes pushes as JSON. Keeps no state of a session.
 */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { Command, CommandType } from './commands.ts';
import type { Push } from './messages.ts';
import { COMMANDS } from './schemas.ts';

export type Parsed =
  | { readonly ok: true; readonly command: Command }
  /** `id` of the frame, when it had a valid one for the error to repeat. */
  | { readonly ok: false; readonly id?: string; readonly message: string };

const ajv = new Ajv({ allErrors: false, strict: true, strictRequired: false });
const validators = new Map<string, ValidateFunction>(
  Object.entries(COMMANDS).map(([type, schema]) => [type, ajv.compile(schema)]),
);

const KNOWN_TYPES = Object.keys(COMMANDS).join(', ');

/** Parses one text frame. Never throws: `message` explains the error to the developer of the client. */
export function parseCommand(text: string): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, message: 'The frame is not valid JSON; send one JSON object per text frame.' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ok: false, message: 'The frame is not a JSON object; a command is an object with a "type".' };
  }
  const { type, id } = value as { type?: unknown; id?: unknown };
  const withId = typeof id === 'string' && id.length <= 64 ? { id } : {};
  const validate = typeof type === 'string' ? validators.get(type) : undefined;
  if (!validate) {
    return { ok: false, ...withId, message: `Unknown command type; "type" must be one of ${KNOWN_TYPES}.` };
  }
  if (!validate(value)) return { ok: false, ...withId, message: describe(type as CommandType, validate.errors?.[0]) };
  return { ok: true, command: value as Command };
}

function describe(type: CommandType, error: ErrorObject | undefined): string {
  const where = error?.instancePath ? error.instancePath.slice(1).replaceAll('/', '.') : 'the command';
  const extra =
    error?.keyword === 'additionalProperties' ? ` ("${String(error.params.additionalProperty).slice(0, 64)}")` : '';
  return `${type}: ${where} ${error?.message ?? 'is not valid'}${extra}.`;
}

/** JSON text of a push. For messages `encodeMessage` is faster: it does not parse their data. */
export function encodePush(push: Push): string {
  return JSON.stringify(push);
}

/** A message whose data is JSON text already. */
export interface EncodableMessage {
  readonly offset: number;
  readonly id: string;
  readonly sender: string;
  /** JSON text. */
  readonly data: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** JSON text of a `message` push. */
export function encodeMessage(channel: string, message: EncodableMessage): string {
  return `{"type":"message",${messageFields(channel, message)}}`;
}

/** JSON text of a message without the `type` of a push, as the HTTP history lists it. */
export function encodeHistoryMessage(channel: string, message: EncodableMessage): string {
  return `{${messageFields(channel, message)}}`;
}

function messageFields(channel: string, { offset, id, sender, data, createdAt }: EncodableMessage): string {
  // Channel names and ids need no escaping: their alphabets have no quote or backslash. The sender is free text of a token.
  return `"channel":"${channel}","offset":${offset},"id":"${id}","sender":${JSON.stringify(sender)},"data":${data},"created_at":"${isoTime(createdAt)}"`;
}

let lastTime = 0;
let lastIso = new Date(0).toISOString();

/** ISO 8601 with milliseconds. Messages of a batch have the same time, so the last result is kept. */
function isoTime(milliseconds: number): string {
  if (milliseconds !== lastTime) {
    lastTime = milliseconds;
    lastIso = new Date(milliseconds).toISOString();
  }
  return lastIso;
}
