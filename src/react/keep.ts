/** One level deep: an array or object with the same things in it. */
function keep<T>(before: T, next: T): T {
  if (!isObject(before) || !isObject(next)) return next
  const names = Object.keys({ ...before, ...next })
  return names.every((name) => before[name] === next[name]) ? before : next
}

/** The same for each field, and then for the whole. */
export function keepFields<T extends object>(before: T, next: T): T {
  const kept = { ...next }
  for (const name in kept) kept[name] = keep(before[name], kept[name])
  return keep(before, kept)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
