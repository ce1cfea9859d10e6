import type { Message } from '../protocol/fold/message.ts'
import { View, type ViewRest } from '../protocol/fold/view.ts'
import type { SessionId } from '../protocol/ids.ts'
import { formatPosition, parsePosition } from '../protocol/position.ts'
import { FIELD } from './record.ts'
import type { FieldWrite, Store } from './store.ts'

/**
 * The folded view, kept in the record, so that neither a cold node nor a trimmed log needs the events before it. A save writes only
 * what changed since the one before: a header, and one field a message. The messages may be newer than the header, never
 * older; the fold passes over what such a message holds already.
 */
interface Header {
  readonly format: 1
  readonly position: string
  /** The messages are in the fields 0 … count-1, in the order of the view. */
  readonly count: number
  readonly rest: ViewRest
}

const FIELDS_A_ROUND = 500

/** The serial that the stored snapshot stands at; 0 without one. */
export async function snapshotSerial(store: Store, session: SessionId): Promise<number> {
  const header = parseHeader(await readHeader(store, session))
  return header?.position.serial ?? 0
}

/** The stored view, or `null` where there is none. */
export async function loadSnapshot(store: Store, session: SessionId): Promise<View | null> {
  const header = parseHeader(await readHeader(store, session))
  if (header === null) return null
  const messages: Message[] = []
  for (let start = 0; start < header.count; start += FIELDS_A_ROUND) {
    const length = Math.min(FIELDS_A_ROUND, header.count - start)
    const names = Array.from({ length }, (_, i) => FIELD.snapshotMessage(start + i))
    const fields = await store.fields(session, names)
    for (const name of names) {
      const text = fields?.get(name)
      if (text === null || text === undefined) return null
      // Only saveSnapshot writes these fields.
      messages.push(JSON.parse(text) as Message)
    }
  }
  const view = new View(header.position)
  view.restore(header.position, messages, header.rest)
  return view
}

/**
 * Saves a view. Loses quietly against another node that saved meanwhile: its snapshot is as good.
 * @returns whether this view is what is stored now
 */
export async function saveSnapshot(store: Store, session: SessionId, view: View): Promise<boolean> {
  const before = await readHeader(store, session)
  const old = parseHeader(before)
  if (old !== null && old.position.epoch === view.position.epoch) {
    if (old.position.serial >= view.position.serial) return false
  }
  const known = old?.position.epoch === view.position.epoch ? old : null
  const guards = [{ field: FIELD.snapshot, equals: before }]
  const header: Header = {
    format: 1,
    position: formatPosition(view.position),
    count: view.messages.size,
    rest: view.rest(),
  }
  const writes = changedMessages(view, known?.count ?? 0, known?.position.serial ?? 0)
  writes.push({ field: FIELD.snapshot, value: JSON.stringify(header) })
  for (let start = 0; start < writes.length; start += FIELDS_A_ROUND) {
    const result = await store.commit({
      session,
      guards,
      writes: writes.slice(start, start + FIELDS_A_ROUND),
    })
    if (result.outcome !== 'committed') return false
  }
  return true
}

/** In the order of the view, so that the header, which is last, never counts a message that is not there. */
function changedMessages(view: View, count: number, since: number): FieldWrite[] {
  const writes: FieldWrite[] = []
  let index = 0
  for (const message of view.messages.values()) {
    if (index >= count || message.serial > since) {
      writes.push({ field: FIELD.snapshotMessage(index), value: JSON.stringify(message) })
    }
    index++
  }
  return writes
}

async function readHeader(store: Store, session: SessionId): Promise<string | null> {
  const fields = await store.fields(session, [FIELD.snapshot])
  return fields?.get(FIELD.snapshot) ?? null
}

function parseHeader(
  text: string | null,
): (Omit<Header, 'position'> & { position: View['position'] }) | null {
  if (text === null) return null
  const header = JSON.parse(text) as Header
  const position = parsePosition(header.position)
  // Another format is another version's: folding from the log, as far as it is there, is always right.
  return header.format === 1 && position !== null ? { ...header, position } : null
}
