import { GENESIS_TAG } from '../protocol/ids.ts'
import type { ResetReason } from '../protocol/frames-down.ts'
import type { Position } from '../protocol/position.ts'
import type { LogHead, Page, StoredEvent } from './store.ts'

/** What a page of the store, read after a position, means for a reader at that position. */
export type Verdict =
  | { readonly kind: 'events'; readonly events: readonly StoredEvent[] }
  /** The position is the head, and the head carries its tag. */
  | { readonly kind: 'current' }
  /** What follows the position can't be given. */
  | { readonly kind: 'reset'; readonly reason: ResetReason }

/**
 * The one place that decides whether a reader may go on. In this order: epoch, ahead, trimmed, fork. A number alone is never
 * trusted: the content at the position must still be the content that the reader holds. [P-4.3] [P-4.4]
 */
export function judge(position: Position, page: Page): Verdict {
  if (page.epoch !== position.epoch) return reset('epoch')
  if (position.serial > page.head) return reset('ahead')
  if (position.serial < page.floor) return reset('trimmed')
  const [first] = page.events
  if (tagAt(position.serial, page, first) !== position.tag) return reset('fork')
  if (position.serial === page.head) return { kind: 'current' }
  // The store gives at least one event below the head; that it is the next one is the store's promise, checked here all the same.
  if (first?.serial !== position.serial + 1) return reset('corrupt')
  return { kind: 'events', events: page.events }
}

/** The tag that the log holds at a serial, as far as a page read after it can tell. */
function tagAt(serial: number, head: LogHead, next: StoredEvent | undefined): string {
  if (next?.serial === serial + 1) return next.prev
  if (serial === head.head) return head.tag
  if (serial === head.floor) return head.floorTag
  return GENESIS_TAG
}

function reset(reason: ResetReason): Verdict {
  return { kind: 'reset', reason }
}

export function headPosition(head: LogHead): Position {
  return { epoch: head.epoch, serial: head.head, tag: head.tag }
}
