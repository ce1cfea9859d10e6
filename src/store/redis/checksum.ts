import { crc32 } from 'node:zlib'
import type { Tag } from '../../protocol/ids.ts'

/** Of a checksum as text. */
export const CHECKSUM_LENGTH = 8

/** Over tag and body. The tag is so short that a call for it alone would cost more than its bytes. */
export function checksum(tag: Tag, body: string): number {
  return crc32(body, crcOfAscii(tag))
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** By bytes: a sixth of what the number's own way to text costs. */
export function hex(crc: number): string {
  return (
    hexByte(crc >>> 24) +
    hexByte((crc >>> 16) & 255) +
    hexByte((crc >>> 8) & 255) +
    hexByte(crc & 255)
  )
}

// The index is of one byte, so it is there.
const hexByte = (byte: number): string => HEX[byte] as string

const CRC_OF_BYTE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc
})

function crcOfAscii(text: string): number {
  let crc = 0xffffffff
  for (let i = 0; i < text.length; i++) {
    // The index is of one byte, so it is there.
    crc = (crc >>> 8) ^ (CRC_OF_BYTE[(crc ^ text.charCodeAt(i)) & 0xff] as number)
  }
  return ~crc >>> 0
}
