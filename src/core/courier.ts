import type { SessionId } from '../protocol/ids.ts'
import type { Clock } from './clock.ts'
import { run } from './commit.ts'
import type { Log } from './log.ts'
import type { Random } from './random.ts'
import { DEADLINE, FIELD } from './record.ts'
import type { DueDeadline, Store } from './store.ts'
import { acknowledge, claimTry, failTry, restDelivery } from './transitions/delivery.ts'
import type { DeliveryRecord } from './transitions/delivery-record.ts'
import { Turns } from './turns.ts'
import type { Views } from './views.ts'
import { resultInLog, resultInView, webhookBody } from './webhook-body.ts'
import type { WebhookOutcome, WebhookSender } from './webhook.ts'

export interface CourierPorts {
  readonly store: Store
  readonly views: Pick<Views, 'at'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** `null`: there is no webhook. */
  readonly sender: WebhookSender | null
  /** How long after each failed try the next one is; after as many and one, it has failed. */
  readonly retryMs: readonly number[]
}

/** A delivery that this node is to try, and nobody else for a while. */
interface Claim {
  readonly session: SessionId
  readonly id: string
  readonly record: DeliveryRecord
  readonly claimedAt: number
}

type NotTaken = Exclude<WebhookOutcome, { kind: 'taken' }>

/** So many sends are under way at most: a slow receiver costs this node no more than these. */
const MAX_SENDS = 16
/** Longer than a try can take: only where the node died is it tried again by this. */
const CLAIM_MS = 30_000
/** A try that begins later than this after its claim could outlive it: it is left to the next. */
const BEGIN_WITHIN_MS = 15_000
const PUT_OFF_MS = 2000
/** What a receiver may ask for at most. */
const MAX_RETRY_AFTER_MS = 6 * 60 * 60_000
/** With random length, so that what failed together does not come back together. */
const JITTER = 0.2
/** What is under way when the node goes down may take so long. */
const CLOSE_MS = 2000

/**
 * Sends what its person has not read in time. A due delivery is claimed by moving its deadline, in a commit, before it is sent: two nodes never
 * send it at the same time, and a node that dies while it sends leaves it to the others. Sends run beside the sweeper, never in its way. [P-15.2]
 */
export class Courier {
  readonly #ports: CourierPorts
  readonly #abort = new AbortController()
  readonly #underWay = new Set<Promise<void>>()
  /** What many sends of one session come to is written one after the other: together, each would be in the way of all others. */
  readonly #turns = new Turns(MAX_SENDS)
  #taken = 0
  #closing: Promise<void> | null = null

  constructor(ports: CourierPorts) {
    this.#ports = ports
  }

  /** The deadline of a delivery is due. Resolves when it is claimed or put off; it is sent after that. */
  async due({ session, deadline, at }: DueDeadline): Promise<void> {
    const { store, sender, clock } = this.#ports
    if (this.#closing !== null) return
    const due = { session, id: deadline.slice(DEADLINE.delivery('').length), at }
    if (sender === null) return void (await run(store, restDelivery(due)))
    if (this.#taken >= MAX_SENDS) return this.#putOff({ session, deadline, at })
    this.#taken++
    const claimedAt = clock.now()
    let record: DeliveryRecord | null = null
    try {
      record = await run(store, claimTry(due, CLAIM_MS))
    } finally {
      if (record === null) this.#taken--
    }
    if (record !== null)
      this.#start(this.#carry({ session, id: due.id, record, claimedAt }, sender))
  }

  /** Waits a moment for what is under way. What is cut off then is sent again by whoever looks after its claim. Idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= this.#end())
  }

  async #end(): Promise<void> {
    const timer = this.#ports.clock.after(CLOSE_MS, () => this.#abort.abort())
    await Promise.all(this.#underWay)
    timer.cancel()
  }

  #start(work: Promise<void>): void {
    const running = work.finally(() => {
      this.#taken--
      this.#underWay.delete(running)
    })
    this.#underWay.add(running)
  }

  async #putOff({ session, deadline, at }: DueDeadline): Promise<void> {
    const inMs = this.#jittered(PUT_OFF_MS)
    const guards = [{ deadline, at }]
    await this.#ports.store.commit({ session, guards, deadlines: [{ deadline, inMs }] })
  }

  /** Never throws: whatever goes wrong here is tried again when the claim is over. */
  async #carry(claim: Claim, sender: WebhookSender): Promise<void> {
    const { session, id } = claim
    try {
      const body = await this.#bodyOf(claim)
      if (body === null) return await this.#acknowledge(claim, 'read')
      if (this.#ports.clock.now() - claim.claimedAt > BEGIN_WITHIN_MS) return
      const outcome = await this.#send(claim, body, sender)
      if (outcome.kind === 'taken') return await this.#acknowledge(claim, 'webhook')
      // Cut off by ourselves: that says nothing about the receiver.
      if (this.#abort.signal.aborted) return
      await this.#failed(claim, outcome)
    } catch (error) {
      this.#ports.log.warn('delivery.interrupted', { session, delivery: id, error })
    }
  }

  /** Where nodes have died so often that no try is left, whatever it is about this delivery, it is not sent any more. */
  async #send({ id, record }: Claim, body: string, sender: WebhookSender): Promise<WebhookOutcome> {
    if (record.attempts > this.#ports.retryMs.length + 1) {
      return { kind: 'refused', reason: 'interrupted' }
    }
    return sender.send({ id, body }, this.#abort.signal)
  }

  /** `null`: its person has read it, and whoever was to say so could not. */
  async #bodyOf({ session, id, record }: Claim): Promise<string | null> {
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

  async #acknowledge({ session, id }: Claim, via: 'read' | 'webhook'): Promise<void> {
    const { store, random } = this.#ports
    await this.#turns.run(session, () =>
      run(store, acknowledge({ session, ids: [id] }, via, random)),
    )
  }

  async #failed({ session, id, record }: Claim, outcome: NotTaken): Promise<void> {
    const { store, random, log } = this.#ports
    const { reason } = outcome
    const { attempts } = record
    const againInMs = this.#againInMs(attempts, outcome)
    const facts = { session, delivery: id, attempts, reason }
    const request = { session, id, attempts, reason, againInMs }
    await this.#turns.run(session, async () => {
      if (await run(store, failTry(request, random))) log.warn('delivery.failed', facts)
      else log.info('delivery.try_failed', facts)
    })
  }

  #againInMs(attempts: number, outcome: Exclude<WebhookOutcome, { kind: 'taken' }>): number | null {
    const scheduledMs = this.#ports.retryMs[attempts - 1]
    if (outcome.kind === 'refused' || scheduledMs === undefined) return null
    // Never sooner than by the schedule: a receiver may ask for more patience, not for less.
    const askedMs = Math.min(outcome.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)
    return Math.max(this.#jittered(scheduledMs), askedMs)
  }

  #jittered(ms: number): number {
    return Math.ceil(ms * (1 + JITTER * this.#ports.random.fraction()))
  }
}
