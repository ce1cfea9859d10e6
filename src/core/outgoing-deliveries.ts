import type { SessionId } from '../protocol/ids.ts'
import { run } from './commit.ts'
import type { Outgoing, OutgoingPorts, Try } from './outgoing.ts'
import { DEADLINE, FIELD } from './record.ts'
import type { DueDeadline } from './store.ts'
import { acknowledge, claimTry, failTry } from './transitions/delivery.ts'
import type { DeliveryRecord } from './transitions/delivery-record.ts'
import { resultInLog, resultInView, webhookBody } from './webhook-body.ts'

/** Results that their people have not read in time, as the courier sends them. [P-15.2] */
export class OutgoingDeliveries implements Outgoing {
  readonly noun = 'delivery'
  readonly #ports: OutgoingPorts

  constructor(ports: OutgoingPorts) {
    this.#ports = ports
  }

  async claim({ session, deadline, at }: DueDeadline, claimMs: number | null): Promise<Try | null> {
    const { store, random, webhookEvents } = this.#ports
    const id = deadline.slice(DEADLINE.delivery('').length)
    const sends = ({ ended }: DeliveryRecord): boolean => webhookEvents.has(`run.${ended}`)
    const record = await run(store, claimTry({ session, id, at }, claimMs, sends))
    if (record === null) return null
    const { attempts } = record
    return {
      id,
      attempts,
      body: () => this.#bodyOf(session, id, record),
      settle: async (sent) => {
        const via = sent ? 'webhook' : 'read'
        await run(store, acknowledge({ session, ids: [id] }, via, random))
      },
      fail: (reason, againInMs) =>
        run(store, failTry({ session, id, attempts, reason, againInMs }, random)),
    }
  }

  /** `null`: its person has read it, and whoever was to say so could not. */
  async #bodyOf(session: SessionId, id: string, record: DeliveryRecord): Promise<string | null> {
    const { store, views } = this.#ports
    const field = FIELD.read(record.to)
    const read = Number((await store.fields(session, [field]))?.get(field) ?? 0)
    const view = await views.at(session)
    const open = view.deliveries.get(id)
    const seen = resultInView(view, record)
    if (open !== undefined && read >= open.serial) return null
    const logged =
      open === undefined ? null : await resultInLog(store, session, record, open.serial)
    return webhookBody(session, id, record, open, logged ?? seen)
  }
}
