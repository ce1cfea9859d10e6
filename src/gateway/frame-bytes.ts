import type { Frame } from '../core/frame.ts'

/** On the frame itself, where it goes with it: a weak map costs the collector more than it costs to make the frame. */
const BYTES = Symbol('bytes')
type Encoded = Frame & { [BYTES]?: Buffer }

/** A WebSocket ping that says nothing. (RFC 6455, section 5.5.2) */
export const PING: Buffer = Buffer.of(0x89, 0)

/**
 * A frame as one unmasked WebSocket text frame, made once and written to any number of sockets: what a fan-out costs is then the write
 * and nothing else. (RFC 6455, section 5.2)
 */
export function frameBytes(frame: Encoded): Buffer {
  const made = frame[BYTES]
  if (made !== undefined) return made
  const length = Buffer.byteLength(frame.text)
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const bytes = Buffer.allocUnsafe(head + length)
  bytes[0] = 0x81
  if (head === 2) bytes[1] = length
  else if (head === 4) {
    bytes[1] = 126
    bytes.writeUInt16BE(length, 2)
  } else {
    bytes[1] = 127
    bytes.writeBigUInt64BE(BigInt(length), 2)
  }
  bytes.write(frame.text, head)
  frame[BYTES] = bytes
  return bytes
}
