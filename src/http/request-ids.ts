/** Names requests for logs on both sides: a start of the process, and a number. Unique, not secret, and cheap. */
export function requestIds(start: string): () => string {
  let count = 0
  return () => `${start}-${(++count).toString(36)}`
}
