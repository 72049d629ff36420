/** Builds WebSocket text frames of a server (RFC 6455 §5.2): FIN set, not masked, not compressed. Pure. */

const TEXT_FINAL = 0x81;

/** Length of the frame header for a payload of `payloadLength` bytes. */
export function headerLength(payloadLength: number): number {
  if (payloadLength < 126) return 2;
  return payloadLength < 65_536 ? 4 : 10;
}

/** Writes the header of a text frame at index `at`. Returns the index at which its payload begins. */
export function writeHeader(target: Buffer, at: number, payloadLength: number): number {
  target[at] = TEXT_FINAL;
  if (payloadLength < 126) {
    target[at + 1] = payloadLength;
    return at + 2;
  }
  if (payloadLength < 65_536) {
    target[at + 1] = 126;
    target.writeUInt16BE(payloadLength, at + 2);
    return at + 4;
  }
  target[at + 1] = 127;
  target.writeBigUInt64BE(BigInt(payloadLength), at + 2);
  return at + 10;
}

/** A complete text frame. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(headerLength(length) + length);
  frame.write(text, writeHeader(frame, 0, length));
  return frame;
}
