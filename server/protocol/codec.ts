/** Text frames to commands and back: parses, validates against the schemas, encodes. Holds no state of any session. */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { Command, CommandType } from './commands.ts';
import type { Push } from './messages.ts';
import { COMMANDS } from './schemas.ts';

export type Parsed =
  | { readonly ok: true; readonly command: Command }
  /** `id` when the frame had one that can be answered. */
  | { readonly ok: false; readonly id?: string; readonly message: string };

const ajv = new Ajv({ allErrors: false, strict: true, strictRequired: false });
const validators = new Map<string, ValidateFunction>(
  Object.entries(COMMANDS).map(([type, schema]) => [type, ajv.compile(schema)]),
);

/** Parses one text frame. Never throws: what is wrong is in the result, worded for the developer of the client. */
export function parseCommand(text: string): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, message: 'The frame is not valid JSON.' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ok: false, message: 'A command must be a JSON object with a "type".' };
  }
  const { type, id } = value as { type?: unknown; id?: unknown };
  const withId = typeof id === 'string' && id.length <= 64 ? { id } : {};
  const validate = typeof type === 'string' ? validators.get(type) : undefined;
  if (!validate) {
    return { ok: false, ...withId, message: `Unknown command type; known are ${Object.keys(COMMANDS).join(', ')}.` };
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

/** JSON text of anything but a message. */
export function encodePush(push: Push): string {
  return JSON.stringify(push);
}

/**
 * JSON text of a `message` push, around data that is JSON text already.
 * @param createdAt milliseconds since 1970
 */
export function encodeMessage(
  channel: string,
  message: {
    readonly offset: number;
    readonly id: string;
    readonly sender: string;
    readonly data: string;
    readonly createdAt: number;
  },
): string {
  // Channel names and ids need no escaping: their alphabets have no quote or backslash. The sender is the token's free text.
  return `{"type":"message","channel":"${channel}","offset":${message.offset},"id":"${message.id}","sender":${JSON.stringify(
    message.sender,
  )},"data":${message.data},"created_at":"${isoTime(message.createdAt)}"}`;
}

let lastTime = 0;
let lastIso = new Date(0).toISOString();

/** ISO 8601 with milliseconds. Messages of a batch share their time, so the last one is remembered. */
function isoTime(milliseconds: number): string {
  if (milliseconds !== lastTime) {
    lastTime = milliseconds;
    lastIso = new Date(milliseconds).toISOString();
  }
  return lastIso;
}
