/**
 * The format of payloads on Redis: one header line, then JSON texts, one per line. A receiving node parses the header and
 * splits the lines; it does not parse the JSON. Pure.
 */
import type { Batch } from './types.ts';

export type Payload =
  | { readonly kind: 'messages'; readonly batch: Batch }
  | { readonly kind: 'event'; readonly node: string; readonly json: string }
  | { readonly kind: 'presence'; readonly node: string };

const NEWLINE = 0x0a;

/** The header is `m <epoch> <first> <count> <created ms> <traceparent or ->`. */
export function encodeBatch(batch: Batch): Buffer {
  const header = `m ${batch.epoch} ${batch.first} ${batch.count} ${batch.createdAt} ${batch.traceparent ?? '-'}\n`;
  return Buffer.concat([Buffer.from(header), batch.body]);
}

export function encodeEvent(node: string, json: string): string {
  return `e ${node}\n${json}`;
}

export function encodePresenceHint(node: string): string {
  return `p ${node}\n`;
}

/** Undefined for every other payload: Redis may be shared with other programs, and with nodes of other versions. */
export function decodePayload(payload: Buffer): Payload | undefined {
  const end = payload.indexOf(NEWLINE);
  if (end < 0) return undefined;
  const fields = payload.toString('latin1', 0, end).split(' ');
  const body = payload.subarray(end + 1);
  if (fields[0] === 'm') return decodeBatch(fields, body);
  const node = fields[1];
  if (fields.length !== 2 || !node) return undefined;
  if (fields[0] === 'e') return { kind: 'event', node, json: body.toString('utf8') };
  return fields[0] === 'p' ? { kind: 'presence', node } : undefined;
}

function decodeBatch(fields: string[], body: Buffer): Payload | undefined {
  const [, epoch, firstText, countText, createdText, traceparent] = fields;
  const first = Number(firstText);
  const count = Number(countText);
  const createdAt = Number(createdText);
  const valid =
    fields.length === 6 &&
    epoch &&
    isPositive(first) &&
    isPositive(count) &&
    Number.isFinite(createdAt) &&
    body.length > 0;
  if (!valid) return undefined;
  return {
    kind: 'messages',
    batch: { epoch, first, count, createdAt, traceparent: traceparent === '-' ? undefined : traceparent, body },
  };
}

function isPositive(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}
