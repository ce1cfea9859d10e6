/** As JSON text, so much of one kind: every snapshot holds it. */
const ROOM = 256 * 1024

/**
 * Of those that may go, only the latest `count` stay, by what changed them last, and as far as there is room: a view must not grow with the age of
 * its session.
 * @param all by their ids
 */
export function keepLatest<T extends { readonly id: string; readonly serial: number }>(
  all: Map<string, T>,
  count: number,
  mayGo: (value: T) => boolean,
): void {
  let room = ROOM
  const may = [...all.values()].filter(mayGo)
  for (const value of may.sort((a, b) => b.serial - a.serial)) {
    room -= JSON.stringify(value).length
    if (count-- < 1 || room < 0) all.delete(value.id)
  }
}
