import type { SessionId } from '../protocol/ids.ts'
import { run } from './commit.ts'
import { inputBody, presenceBody } from './notice-body.ts'
import type { Outgoing, OutgoingPorts, Try } from './outgoing.ts'
import { DEADLINE } from './record.ts'
import type { DueDeadline } from './store.ts'
import { claimNotice, failNotice, noticeTold, type ClaimedNotice } from './transitions/notice.ts'
import { inputOf } from './transitions/notice-record.ts'
import type { WebhookEvents } from './webhook.ts'

const NOTHING: WebhookEvents = new Set()

/** What a webhook is told of that is no result, as the courier sends it. [P-17] */
export class OutgoingNotices implements Outgoing {
  readonly noun = 'notice'
  readonly #ports: OutgoingPorts

  constructor(ports: OutgoingPorts) {
    this.#ports = ports
  }

  async claim({ session, deadline, at }: DueDeadline, claimMs: number | null): Promise<Try | null> {
    const { store, random, webhookEvents } = this.#ports
    const name = deadline.slice(DEADLINE.notice('').length)
    const about = { session, name }
    const how = { leaseMs: claimMs ?? 0, tells: claimMs === null ? NOTHING : webhookEvents }
    const claimed = await run(store, claimNotice({ ...about, at, ...how }, random))
    if (claimed === null) return null
    const { id, attempts } = claimed.record
    return {
      id,
      attempts,
      body: () => this.#bodyOf(session, name, claimed),
      settle: async () => void (await run(store, noticeTold({ ...about, id }))),
      fail: (reason, againInMs) =>
        run(store, failNotice({ ...about, id, attempts, reason, againInMs })),
    }
  }

  /** `null`: it waits no more, and the end of its wait took the notice along. */
  async #bodyOf(session: SessionId, name: string, claimed: ClaimedNotice): Promise<string | null> {
    const { store, views } = this.#ports
    const input = inputOf(name)
    if (input === null) return presenceBody(session, claimed)
    const waiting = (await views.at(session)).inputs.get(input)
    return waiting === undefined ? null : inputBody(store, session, claimed.record, waiting)
  }
}
