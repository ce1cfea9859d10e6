const HALF_A_PAIR = /\\ud[89a-f]/i

/**
 * JSON that the server takes: a stream of tokens may cut a surrogate pair in two, and half of one is refused. `JSON.stringify` writes whole
 * pairs as they are, and escapes halves. [P-2.3]
 */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value)
  if (!HALF_A_PAIR.test(text)) return text
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'string' ? inner.toWellFormed() : inner,
  )
}
