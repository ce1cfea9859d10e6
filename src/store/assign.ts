import { encodeEvent } from '../protocol/codec.ts'
import type { Tag } from '../protocol/ids.ts'
import type { NewEvent, StoredEvent } from '../core/store.ts'

/** Gives new events their places in the chain: serials from `first`, each linked to the tag before it. */
export function assign(
  events: readonly NewEvent[],
  place: { readonly first: number; readonly prev: Tag; readonly at: number },
): StoredEvent[] {
  let prev = place.prev
  return events.map((event, index) => {
    const head = { serial: place.first + index, tag: event.tag, prev, at: place.at }
    prev = event.tag
    return { ...head, text: encodeEvent(head, event.body) }
  })
}
