/**
 * A short text that differs when the content does: two rounds of a 53-bit string hash with different seeds. It guards against
 * honest mistakes (an id used twice), not against an attacker, who could only confuse an id of their own.
 */
export function fingerprint(...texts: readonly string[]): string {
  return hash(texts, 0x9e3779b1).toString(36) + hash(texts, 0x85ebca6b).toString(36)
}

function hash(texts: readonly string[], seed: number): number {
  let a = 0xdeadbeef ^ seed
  let b = 0x41c6ce57 ^ seed
  for (const text of texts) {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      a = Math.imul(a ^ unit, 2654435761)
      b = Math.imul(b ^ unit, 1597334677)
    }
    a = Math.imul(a ^ 0xffff, 2654435761)
    b = Math.imul(b ^ 0xffff, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return 4294967296 * (2097151 & b) + (a >>> 0)
}
