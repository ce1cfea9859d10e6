/** Whether every session that `narrow` matches is matched by `wide`. */
export function covers(wide: string, narrow: string): boolean {
  if (!wide.endsWith('*')) return wide === narrow
  const prefix = wide.slice(0, -1)
  return (narrow.endsWith('*') ? narrow.slice(0, -1) : narrow).startsWith(prefix)
}

/** Patterns that together match what both lists match: of every two that overlap, one covers the other. */
export function commonPatterns(a: readonly string[], b: readonly string[]): string[] {
  const common = a.flatMap((left) =>
    b.flatMap((right) => (covers(right, left) ? [left] : covers(left, right) ? [right] : [])),
  )
  const distinct = [...new Set(common)]
  return distinct.filter(
    (pattern) => !distinct.some((other) => other !== pattern && covers(other, pattern)),
  )
}
