/** One level deep: an array or object with the same things in it. */
function keep<T>(before: T, next: T): T {
  if (Object.is(before, next) || !isObject(before) || !isObject(next)) return next
  const names = Object.keys(next)
  const same =
    names.length === Object.keys(before).length &&
    names.every((name) => Object.is(Reflect.get(before, name), Reflect.get(next, name)))
  return same ? before : next
}

/** The same for each field, and then for the whole. */
export function keepFields<T extends object>(before: T, next: T): T {
  const kept = { ...next }
  for (const name in kept) kept[name] = keep(before[name], kept[name])
  return keep(before, kept)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
