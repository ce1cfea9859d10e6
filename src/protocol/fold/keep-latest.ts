/** Of those that may go, only the latest `count` stay: a view must not grow with the age of its session. */
export function keepLatest<T>(
  all: Map<string, T>,
  count: number,
  mayGo: (value: T) => boolean,
): void {
  let surplus = -count
  for (const value of all.values()) if (mayGo(value)) surplus++
  for (const [key, value] of all) {
    if (surplus <= 0) return
    if (!mayGo(value)) continue
    all.delete(key)
    surplus--
  }
}
