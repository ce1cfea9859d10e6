import type { Message } from '../protocol/fold/message.ts'
import { View, type ViewRest } from '../protocol/fold/view.ts'
import type { SessionId } from '../protocol/ids.ts'
import { formatPosition, parsePosition, type Position } from '../protocol/position.ts'
import { judge } from './judge.ts'
import { messageText, parseMessageText } from './message-text.ts'
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

/** What says that a snapshot is stored, and where it stands. */
export interface StoredHeader {
  /** 0 without one. */
  readonly serial: number
  /** The field as it is: by it one can tell whether the snapshot is still that one. */
  readonly text: string | null
}

export async function storedHeader(store: Store, session: SessionId): Promise<StoredHeader> {
  return storedAs(await readHeader(store, session))
}

/** The same, from fields of the record that were read. */
export function headerOf(fields: ReadonlyMap<string, string | null>): StoredHeader {
  return storedAs(fields.get(FIELD.snapshot) ?? null)
}

function storedAs(text: string | null): StoredHeader {
  return { serial: parseHeader(text)?.position.serial ?? 0, text }
}

/** What is stored: a view, of which some messages may be ahead. */
export interface StoredView {
  readonly view: View
  /** Where the message that is furthest ahead of the view was folded: the view is of the log only if this is in it, too. */
  readonly ahead: Position | null
}

/**
 * The stored view, or `null` where there is none, or where it changed while it was read. Each round looks at the header again: after a failover
 * the messages may be older than a header that was read before.
 */
export async function loadSnapshot(
  store: Store,
  session: SessionId,
  fieldsARound = FIELDS_A_ROUND,
): Promise<StoredView | null> {
  const text = await readHeader(store, session)
  const header = parseHeader(text)
  if (header === null) return null
  const messages: Message[] = []
  let ahead: Position | null = null
  for (let start = 0; start < header.count; start += fieldsARound) {
    const length = Math.min(fieldsARound, header.count - start)
    const names = Array.from({ length }, (_, i) => FIELD.snapshotMessage(start + i))
    const fields = await store.fields(session, [...names, FIELD.snapshot])
    if (fields?.get(FIELD.snapshot) !== text) return null
    for (const name of names) {
      const stored = parseMessage(fields.get(name) ?? null)
      if (stored === null) return null
      const { message, foldedAt } = stored
      messages.push(message)
      const isAhead = message.serial > header.position.serial
      if (isAhead && foldedAt.serial > (ahead?.serial ?? 0)) ahead = foldedAt
    }
  }
  const view = new View(header.position)
  view.restore(header.position, messages, header.rest)
  return { view, ahead }
}

/**
 * Saves a view. Loses quietly against another node that saves at the same time: its snapshot is as good.
 *
 * Who saves says so first, and each round goes on only from the one before: where another node has begun meanwhile, or a failover has
 * lost a round, the rest is refused, else messages of an older view could come to stand under the header of a newer one. Only
 * after the first word is the view held against the log: a failover that takes its events away takes that word away, too.
 * @param name never the same for two saves, so that none takes another's word for its own
 * @returns what is stored now; `null` when this view is not
 */
export async function saveSnapshot(
  store: Store,
  session: SessionId,
  view: View,
  name: string,
  fieldsARound = FIELDS_A_ROUND,
): Promise<StoredHeader | null> {
  const before = await readHeader(store, session)
  const old = parseHeader(before)
  // From here on without waiting: the view is shared, and goes on.
  const { position } = view
  const known = old?.position.epoch === position.epoch ? old : null
  if (known !== null && known.position.serial >= position.serial) return null
  const header: Header = {
    format: 1,
    position: formatPosition(position),
    count: view.messages.size,
    rest: view.rest(),
  }
  const writes = changedMessages(view, known?.count ?? 0, known?.position.serial ?? 0)
  const text = JSON.stringify(header)
  writes.push({ field: FIELD.snapshot, value: text })

  const unchanged = { field: FIELD.snapshot, equals: before }
  let word = name
  const claim = { guards: [unchanged], writes: [{ field: FIELD.saving, value: word }] }
  const claimed = await store.commit({ session, ...claim })
  if (claimed.outcome !== 'committed' || !(await isInLog(store, session, position))) return null
  for (let start = 0; start < writes.length; start += fieldsARound) {
    const guards = [unchanged, { field: FIELD.saving, equals: word }]
    word = `${name} ${start}`
    const some = writes.slice(start, start + fieldsARound)
    some.push({ field: FIELD.saving, value: word })
    const result = await store.commit({ session, guards, writes: some })
    if (result.outcome !== 'committed') return null
  }
  return { serial: position.serial, text }
}

async function isInLog(store: Store, session: SessionId, position: Position): Promise<boolean> {
  const page = await store.read(session, { after: position.serial, limit: 1, maxBytes: 1 })
  return page !== null && judge(position, page).kind !== 'reset'
}

/** In the order of the view, so that the header, which is last, never counts a message that is not there. */
function changedMessages(view: View, count: number, since: number): FieldWrite[] {
  const writes: FieldWrite[] = []
  const foldedAt = formatPosition(view.position)
  let index = 0
  for (const message of view.messages.values()) {
    if (index >= count || message.serial > since) {
      writes.push({
        field: FIELD.snapshotMessage(index),
        value: `${foldedAt} ${messageText(message)}`,
      })
    }
    index++
  }
  return writes
}

/** Only `changedMessages` writes these fields. */
function parseMessage(text: string | null): { message: Message; foldedAt: Position } | null {
  if (text === null) return null
  const space = text.indexOf(' ')
  const foldedAt = parsePosition(text.slice(0, space))
  return foldedAt && { message: parseMessageText(text.slice(space + 1)), foldedAt }
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
