/** Of those that may go, only the latest `count` stay, by what changed them last: a view must not grow with the age of its session. */
export function keepLatest<T extends { readonly serial: number }>(
  all: Map<string, T>,
  count: number,
  mayGo: (value: T) => boolean,
): void {
  const may = [...all].filter(([, value]) => mayGo(value))
  may.sort(([, a], [, b]) => b.serial - a.serial)
  for (const [key] of may.slice(count)) all.delete(key)
}
