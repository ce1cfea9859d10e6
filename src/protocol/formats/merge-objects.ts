import { isChunk, type Chunk } from './piece.ts'

/** Both, object within object; what the second does not name stays as the first has it. */
export function mergeObjects(first: Chunk, second: Chunk): Chunk {
  const merged: Record<string, unknown> = { ...first }
  for (const [name, value] of Object.entries(second)) {
    if (value === undefined || name === '__proto__') continue
    const before = merged[name]
    merged[name] = isChunk(value) && isChunk(before) ? mergeObjects(before, value) : value
  }
  return merged
}
