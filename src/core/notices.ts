import type { SessionId } from '../protocol/ids.ts'
import { sessionNotFound } from './commit.ts'
import { FIELD } from './record.ts'
import type { Store } from './store.ts'
import { parseList } from './transitions/commit-parts.ts'
import {
  inputNotice,
  inputOf,
  parseNotice,
  PRESENCE_NOTICE,
  type NoticeRecord,
} from './transitions/notice-record.ts'

/** A notice as people ask about it. */
export interface NoticeInfo extends Pick<NoticeRecord, 'type' | 'status' | 'attempts' | 'reason'> {
  readonly notice: string
  /** The input that it is about. */
  readonly input?: string
}

/** What the webhook was told of, and what could not be told: how it is sent is the courier's. [P-17.4] */
export class Notices {
  readonly #store: Pick<Store, 'fields'>

  constructor({ store }: { readonly store: Pick<Store, 'fields'> }) {
    this.#store = store
  }

  /** Of the inputs that wait, oldest first, then of the presence. @throws HeldlineError `session_not_found` */
  async list(session: SessionId): Promise<readonly NoticeInfo[]> {
    const listed = await this.#store.fields(session, [FIELD.inputs])
    if (listed === null) throw sessionNotFound()
    const inputs = parseList(listed.get(FIELD.inputs) ?? null)
    const names = [...inputs.map(inputNotice), PRESENCE_NOTICE]
    const fields = await this.#store.fields(session, names.map(FIELD.notice))
    return names.flatMap((name) => {
      const record = parseNotice(fields?.get(FIELD.notice(name)) ?? null)
      return record === null ? [] : [infoOf(inputOf(name), record)]
    })
  }
}

function infoOf(
  input: string | null,
  { id, type, status, attempts, reason }: NoticeRecord,
): NoticeInfo {
  return {
    notice: id,
    type,
    ...(input !== null && { input }),
    status,
    attempts,
    ...(reason !== undefined && { reason }),
  }
}
