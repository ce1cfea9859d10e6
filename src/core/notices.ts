import type { SessionId } from '../protocol/ids.ts'
import { run, sessionNotFound } from './commit.ts'
import { FIELD } from './record.ts'
import type { Store } from './store.ts'
import { parseList } from './transitions/commit-parts.ts'
import { noticeNotFound, replayNotice } from './transitions/notice.ts'
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

interface Listed {
  /** What it is about. */
  readonly name: string
  readonly record: NoticeRecord
}

type NoticeStore = Pick<Store, 'commit' | 'fields'>

/** What the webhook was told of, and what could not be told: how it is sent is the courier's. [P-17.4] */
export class Notices {
  readonly #store: NoticeStore

  constructor({ store }: { readonly store: NoticeStore }) {
    this.#store = store
  }

  /** Of the inputs that wait, oldest first, then of the presence. @throws HeldlineError `session_not_found` */
  async list(session: SessionId): Promise<readonly NoticeInfo[]> {
    return (await this.#all(session)).map(infoOf)
  }

  /** @throws HeldlineError `session_not_found`, `notice_not_found`, `notice_closed` */
  async replay(session: SessionId, notice: string): Promise<NoticeInfo> {
    const found = (await this.#all(session)).find(({ record }) => record.id === notice)
    if (found === undefined) throw noticeNotFound()
    const { name } = found
    return infoOf({
      name,
      record: await run(this.#store, replayNotice({ session, name, id: notice })),
    })
  }

  async #all(session: SessionId): Promise<readonly Listed[]> {
    const listed = await this.#store.fields(session, [FIELD.inputs])
    if (listed === null) throw sessionNotFound()
    const inputs = parseList(listed.get(FIELD.inputs) ?? null)
    const names = [...inputs.map(inputNotice), PRESENCE_NOTICE]
    const fields = await this.#store.fields(session, names.map(FIELD.notice))
    return names.flatMap((name) => {
      const record = parseNotice(fields?.get(FIELD.notice(name)) ?? null)
      return record === null ? [] : [{ name, record }]
    })
  }
}

function infoOf({ name, record }: Listed): NoticeInfo {
  const { id, type, status, attempts, reason } = record
  const input = inputOf(name)
  return {
    notice: id,
    type,
    ...(input !== null && { input }),
    status,
    attempts,
    ...(reason !== undefined && { reason }),
  }
}
