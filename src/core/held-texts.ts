import { bytesOf, exceedsBytes } from './bytes.ts'

const FIRST_CHUNK_BYTES = 2048
const MAX_CHUNK_BYTES = 32 * 1024
/** A chunk is let go of as a whole, so that it should be a small part of what may be held. */
const CHUNKS_OF_ALL = 8

interface Chunk {
  readonly bytes: Uint8Array
  /** Where each of its texts begins; the last number is where the next one will. */
  readonly starts: number[]
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * The last texts of a sequence, bounded in bytes, held as bytes: what is kept for a while as strings is copied about by the garbage collector for as
 * long, and everybody on the node waits meanwhile. The texts are well formed.
 */
export class HeldTexts {
  #chunks: Chunk[] = []
  #size = 0
  #bytes = 0

  /** How many there are. */
  get size(): number {
    return this.#size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** @param maxBytes of all; the oldest go beyond it, even the one that has just come */
  push(text: string, maxBytes: number): void {
    const chunk = this.#roomFor(text, maxBytes)
    const from = end(chunk)
    const { read, written } = encoder.encodeInto(text, chunk.bytes.subarray(from))
    // Not well formed after all: nothing is held, lest a part of it is given.
    if (read < text.length) return this.clear()
    chunk.starts.push(from + written)
    this.#size++
    this.#bytes += written
    this.keepTo(maxBytes)
  }

  /** Lets go of the oldest until no more is held than that. */
  keepTo(maxBytes: number): void {
    while (this.#bytes > maxBytes) {
      const oldest = this.#chunks.shift()
      if (oldest === undefined) return
      this.#size -= countOf(oldest)
      this.#bytes -= end(oldest)
    }
  }

  clear(): void {
    this.#chunks = []
    this.#size = 0
    this.#bytes = 0
  }

  /**
   * @param from how many of the oldest are left out
   * @param maxBytes of all that are given; the first is given whatever its size
   */
  slice(from: number, limit: number, maxBytes: number): string[] {
    const texts: string[] = []
    let skip = from
    let left = maxBytes
    for (const chunk of this.#chunks) {
      const count = countOf(chunk)
      for (let i = skip; i < count; i++) {
        const [start = 0, stop = 0] = [chunk.starts[i], chunk.starts[i + 1]]
        left -= stop - start
        if (texts.length === limit || (left < 0 && texts.length > 0)) return texts
        texts.push(decoder.decode(chunk.bytes.subarray(start, stop)))
      }
      skip = Math.max(0, skip - count)
    }
    return texts
  }

  #roomFor(text: string, maxBytes: number): Chunk {
    const last = this.#chunks.at(-1)
    if (last !== undefined && !exceedsBytes(text, last.bytes.length - end(last))) return last
    const usual = Math.max(FIRST_CHUNK_BYTES, 2 * (last?.bytes.length ?? 0))
    const most = Math.min(MAX_CHUNK_BYTES, Math.floor(maxBytes / CHUNKS_OF_ALL))
    const length = Math.max(bytesOf(text), Math.min(usual, most))
    const chunk = { bytes: new Uint8Array(length), starts: [0] }
    this.#chunks.push(chunk)
    return chunk
  }
}

const end = ({ starts }: Chunk): number => starts.at(-1) ?? 0
const countOf = ({ starts }: Chunk): number => starts.length - 1
