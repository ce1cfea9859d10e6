import { crc32 } from 'node:zlib'
import type { SessionId } from '../../protocol/ids.ts'

/**
 * Where things stand in Redis. Every key of a session, and the indexes of its bucket, share the bucket's hash tag, so that one
 * script may touch them all on a Cluster. No user text stands in a hash tag: the id pattern holds no brace.
 *
 *     hl:{b17}:r:<session>   hash     the record: `.` head, `,` floor, f… fields, d… deadlines, p… producers
 *     hl:{b17}:l:<session>   stream   the log: <serial>-0, made with the first event
 *     hl:{b17}:i0:<session>  hash     remembered ids of the even windows; i1 of the odd ones; each expires by itself
 *     hl:{b17}:due           zset     `<session> <deadline>` by time
 *     hl:{b17}:index         zset     session ids
 *     hl:{b17}:a:<instance>:<n>  string   the last answers to one node's batches, for its own retries; expires
 */
export const BUCKETS = 1024

export function bucketOf(session: SessionId): number {
  return crc32(session) % BUCKETS
}

export interface SessionKeys {
  readonly bucket: number
  readonly record: string
  readonly log: string
  readonly evenIds: string
  readonly oddIds: string
  readonly due: string
  readonly index: string
  /** Not a key: the channel of its wake-ups, in the same slot. */
  readonly channel: string
}

export function keysOf(session: SessionId): SessionKeys {
  const bucket = bucketOf(session)
  const prefix = prefixOf(bucket)
  return {
    bucket,
    record: `${prefix}r:${session}`,
    log: `${prefix}l:${session}`,
    evenIds: `${prefix}i0:${session}`,
    oddIds: `${prefix}i1:${session}`,
    due: `${prefix}due`,
    index: `${prefix}index`,
    channel: channelOf(bucket, session),
  }
}

export const prefixOf = (bucket: number): string => `hl:{b${bucket}}:`
export const dueKey = (bucket: number): string => `${prefixOf(bucket)}due`
export const indexKey = (bucket: number): string => `${prefixOf(bucket)}index`
export const answerKey = (bucket: number, instance: string, slot: number): string =>
  `${prefixOf(bucket)}a:${instance}:${slot}`
export const removalKey = (bucket: number, nonce: string): string => `${prefixOf(bucket)}x:${nonce}`

const channelOf = (bucket: number, session: SessionId): string => `${prefixOf(bucket)}w:${session}`
export const probeChannel = (bucket: number, instance: string): string =>
  `${prefixOf(bucket)}n:${instance}`
const CHANNEL = /^hl:\{b(\d+)\}:w:(.+)$/

/** The session whose wake-ups a channel carries; `null` for any other channel. */
export function sessionOf(channel: string): SessionId | null {
  // A channel is only ever made of a SessionId, so this cast gives back what went in.
  return (CHANNEL.exec(channel)?.[2] ?? null) as SessionId | null
}

export function bucketOfChannel(channel: string): number {
  return Number(/^hl:\{b(\d+)\}/.exec(channel)?.[1] ?? 0)
}

const slots: number[] = []

/** The Cluster slot of a bucket: CRC16 (XMODEM) of its hash tag. */
export function slotOf(bucket: number): number {
  return (slots[bucket] ??= crc16(`b${bucket}`) % 16384)
}

function crc16(text: string): number {
  let crc = 0
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
    crc &= 0xffff
  }
  return crc
}
