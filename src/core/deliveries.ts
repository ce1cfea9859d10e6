import type { OpenDelivery } from '../protocol/fold/fold-record.ts'
import type { SessionId } from '../protocol/ids.ts'
import { run, sessionNotFound } from './commit.ts'
import type { Random } from './random.ts'
import { FIELD } from './record.ts'
import type { Store } from './store.ts'
import { acknowledge, replayDelivery } from './transitions/delivery.ts'
import { parseDelivery, parseListed, type DeliveryRecord } from './transitions/delivery-record.ts'
import type { Views } from './views.ts'

export interface DeliveriesPorts {
  readonly store: Store
  readonly views: Pick<Views, 'at'>
  readonly random: Random
}

/** A delivery as people ask about it. */
export interface DeliveryInfo extends Pick<
  DeliveryRecord,
  'run' | 'to' | 'status' | 'attempts' | 'reason'
> {
  readonly delivery: string
  /** The serial of the run's last event, and when it was; `null` where the view does not hold it any more. */
  readonly serial: number | null
  readonly at: number | null
}

/** That results reach the people whom they are for: what can be asked and said about it. How they are sent is the courier's. [P-15] */
export class Deliveries {
  readonly #ports: DeliveriesPorts

  constructor(ports: DeliveriesPorts) {
    this.#ports = ports
  }

  /**
   * A subject for whom results wait has read up to a serial: acknowledges those that it has by that. It may be said again at no harm, and
   * what is not said is found when the delivery is due.
   */
  async readUpTo(session: SessionId, subject: string, serial: number): Promise<void> {
    const { store, views, random } = this.#ports
    const { deliveries } = await views.at(session)
    const ids = [...deliveries.values()]
      .filter((one) => one.to === subject && one.serial <= serial)
      .map(({ id }) => id)
    if (ids.length > 0) await run(store, acknowledge({ session, ids }, 'read', random))
  }

  /** Those that are pending, and the latest that failed. @throws HeldlineError `session_not_found` */
  async list(session: SessionId): Promise<readonly DeliveryInfo[]> {
    const { store, views } = this.#ports
    const listed = await store.fields(session, [FIELD.deliveries])
    if (listed === null) throw sessionNotFound()
    const ids = parseListed(listed.get(FIELD.deliveries) ?? null).map(({ id }) => id)
    if (ids.length === 0) return []
    const names = ids.map((id) => FIELD.delivery(id))
    const records = (await store.fields(session, names)) ?? new Map<string, string | null>()
    const { deliveries } = await views.at(session)
    return ids.flatMap((id) => {
      const text = records.get(FIELD.delivery(id)) ?? null
      return text === null ? [] : [infoOf(id, parseDelivery(text), deliveries.get(id))]
    })
  }

  /** @throws HeldlineError `session_not_found`, `delivery_not_found`, `delivery_closed`, `session_limit` */
  async replay(session: SessionId, id: string): Promise<DeliveryInfo> {
    const { store, views, random } = this.#ports
    const record = await run(store, replayDelivery({ session, id }, random))
    return infoOf(id, record, (await views.at(session)).deliveries.get(id))
  }
}

function infoOf(
  delivery: string,
  { run: ofRun, to, status, attempts, reason }: DeliveryRecord,
  open: OpenDelivery | undefined,
): DeliveryInfo {
  return {
    delivery,
    run: ofRun,
    to,
    status,
    attempts,
    ...(reason !== undefined && { reason }),
    serial: open?.serial ?? null,
    at: open?.at ?? null,
  }
}
