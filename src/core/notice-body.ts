import type { Input } from '../protocol/fold/fold-input.ts'
import type { SessionId } from '../protocol/ids.ts'
import { objectMembers } from '../protocol/json.ts'
import { exceedsBytes } from './bytes.ts'
import { rawMember, withRaw } from './raw-data.ts'
import type { Store } from './store.ts'
import type { ClaimedNotice } from './transitions/notice.ts'
import type { NoticeRecord } from './transitions/notice-record.ts'
import { eventData, MAX_BODY_BYTES } from './webhook-body.ts'

/** What a webhook is told of an input that waits: what its event says. [P-17.1] */
export async function inputBody(
  store: Store,
  session: SessionId,
  { id, type }: NoticeRecord,
  input: Input,
): Promise<string> {
  const { by, serial, at } = input
  const head = { type, session, notice: id, by, serial, at }
  const logged = await eventData(store, session, serial)
  const isIt = logged !== null && rawMember(logged, 'input') === JSON.stringify(input.id)
  const words = isIt ? logged : wordsInView(input)
  const said = Object.fromEntries(objectMembers(words).map(({ key, raw }) => [key, raw]))
  const whole = withRaw(head, said)
  if (!exceedsBytes(whole, MAX_BODY_BYTES)) return whole
  return withRaw({ ...head, omitted: true }, { ...said, data: null })
}

/** What the view has of it, where retention has dropped its event. */
function wordsInView({ id: input, mode, run, message, parent, data, expiresAt }: Input): string {
  const words = Object.entries({ input, mode, run, message, data, expiresAt })
  const said = Object.fromEntries(words.filter(([, value]) => value !== null))
  // Of these, `null` says something: that the answer is a root.
  return JSON.stringify({ ...said, ...(parent !== undefined && { parent }) })
}

/** What a webhook is told of who is there. [P-17.2] */
export function presenceBody(session: SessionId, { record, serial, at }: ClaimedNotice): string {
  const { id, type, who } = record
  return JSON.stringify({ type, session, notice: id, ...who, serial, at })
}
