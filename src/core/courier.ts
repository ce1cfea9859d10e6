import type { SessionId } from '../protocol/ids.ts'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import type { Outgoing, Try } from './outgoing.ts'
import type { Random } from './random.ts'
import type { DueDeadline, Store } from './store.ts'
import { Turns } from './turns.ts'
import type { WebhookOutcome, WebhookSender } from './webhook.ts'

export interface CourierPorts {
  readonly store: Pick<Store, 'commit'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** The kinds of what is sent. */
  readonly outgoing: readonly Outgoing[]
  /** `null`: there is no webhook. */
  readonly sender: WebhookSender | null
  /** How long after each failed try the next one is; after as many and one, it has failed. */
  readonly retryMs: readonly number[]
}

/** What this node is to try, and nobody else for a while. */
interface Claim {
  readonly session: SessionId
  readonly noun: Outgoing['noun']
  readonly attempt: Try
  readonly claimedAt: number
}

type NotTaken = Exclude<WebhookOutcome, { kind: 'taken' }>

/** So many sends are under way at most: a slow receiver costs this node no more than these. */
const MAX_SENDS = 16
/** Longer than a try can take: only where the node died is it tried again by this. */
const CLAIM_MS = 30_000
/** A try that begins later than this after its claim could outlive it: it is left to the next. */
const BEGIN_WITHIN_MS = 15_000
/** What finds no place is looked at again after so long, unless it is taken out of the line before: thousands that are due at once cost little meanwhile. */
const PUT_OFF_MS = 20_000
const MAX_LINE = 10_000
/** What a receiver may ask for at most. */
const MAX_RETRY_AFTER_MS = 6 * 60 * 60_000
/** With random length, so that what failed together does not come back together. */
const JITTER = 0.2
/** What is under way when the node goes down may take so long. */
const CLOSE_MS = 2000

/**
 * Sends what is due to go to the webhook. It is claimed by moving its deadline, in a commit, before it is sent: two nodes never send it at the same
 * time, and a node that dies while it sends leaves it to the others. Sends run beside the sweeper, never in its way. [P-15.2] [P-17.3]
 */
export class Courier {
  readonly #ports: CourierPorts
  readonly #abort = new AbortController()
  readonly #underWay = new Set<Promise<void>>()
  /** What many sends of one session come to is written one after the other: together, each would be in the way of all others. */
  readonly #turns = new Turns(MAX_SENDS)
  #taken = 0
  /** What was put off, by the deadline that it has since: first come, first served. Mere hints; whoever was faster has moved it again. */
  readonly #line: DueDeadline[] = []
  #closing: Promise<void> | null = null

  constructor(ports: CourierPorts) {
    this.#ports = ports
  }

  /** How many wait for a place. */
  get waiting(): number {
    return this.#line.length
  }

  /** The deadline of something that is to be sent is due. Resolves when it is claimed or put off; it is sent after that. */
  async due(due: DueDeadline): Promise<void> {
    const { sender, outgoing } = this.#ports
    const kind = outgoing.find(({ noun }) => due.deadline.startsWith(`${noun}:`))
    if (this.#closing !== null || kind === undefined) return
    if (sender === null) return void (await kind.claim(due, null))
    if (this.#taken >= MAX_SENDS) return this.#putOff(due)
    await this.#take(kind, due, sender)
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

  async #take(kind: Outgoing, due: DueDeadline, sender: WebhookSender): Promise<void> {
    this.#taken++
    const claimedAt = this.#ports.clock.now()
    let attempt: Try | null
    try {
      attempt = await kind.claim(due, CLAIM_MS)
    } catch (error) {
      this.#taken--
      throw error
    }
    if (attempt === null) return this.#leave()
    const claim = { session: due.session, noun: kind.noun, attempt, claimedAt }
    const running = this.#carry(claim, sender).finally(() => {
      this.#underWay.delete(running)
      this.#leave()
    })
    this.#underWay.add(running)
  }

  /** A place is free: the next of the line takes it. */
  #leave(): void {
    this.#taken--
    const next = this.#next()
    if (next === null) return
    this.due(next).catch((error: unknown) => {
      const { session, deadline } = next
      this.#ports.log.warn('courier.claim_failed', { session, deadline, error })
    })
  }

  /** What is due again by now is brought by the sweeper. */
  #next(): DueDeadline | null {
    const now = this.#ports.clock.now()
    for (;;) {
      const next = this.#line.shift()
      if (next === undefined) return null
      if (next.at > now) return next
    }
  }

  async #putOff({ session, deadline, at }: DueDeadline): Promise<void> {
    const inMs = this.#jittered(PUT_OFF_MS)
    const guards = [{ deadline, at }]
    const deadlines = [{ deadline, inMs }]
    const done = await this.#ports.store.commit({ session, guards, deadlines })
    if (done.outcome !== 'committed' || this.#line.length >= MAX_LINE) return
    this.#line.push({ session, deadline, at: done.at + inMs })
  }

  /** Never throws: whatever goes wrong here is tried again when the claim is over. */
  async #carry(claim: Claim, sender: WebhookSender): Promise<void> {
    const { session, noun, attempt } = claim
    try {
      const body = await attempt.body()
      if (body === null) return await this.#settle(claim, false)
      if (this.#ports.clock.now() - claim.claimedAt > BEGIN_WITHIN_MS) return
      const outcome = await this.#send(attempt, body, sender)
      if (outcome.kind === 'taken') return await this.#settle(claim, true)
      // Cut off by ourselves: that says nothing about the receiver.
      if (this.#abort.signal.aborted) return
      await this.#failed(claim, outcome)
    } catch (error) {
      this.#ports.log.warn(`${noun}.interrupted`, { session, [noun]: attempt.id, error })
    }
  }

  /** Where nodes have died so often that no try is left, whatever it is about this one, it is not sent any more. */
  async #send({ id, attempts }: Try, body: string, sender: WebhookSender): Promise<WebhookOutcome> {
    if (attempts > this.#ports.retryMs.length + 1) {
      return { kind: 'refused', reason: 'interrupted' }
    }
    return sender.send({ id, body }, this.#abort.signal)
  }

  async #settle({ session, attempt }: Claim, sent: boolean): Promise<void> {
    await this.#turns.run(session, () => attempt.settle(sent))
  }

  async #failed({ session, noun, attempt }: Claim, outcome: NotTaken): Promise<void> {
    const { log } = this.#ports
    const { reason } = outcome
    const { id, attempts } = attempt
    const againInMs = this.#againInMs(attempts, outcome)
    const facts = { session, [noun]: id, attempts, reason }
    await this.#turns.run(session, async () => {
      if (await attempt.fail(reason, againInMs)) log.warn(`${noun}.failed`, facts)
      else log.info(`${noun}.try_failed`, facts)
    })
  }

  #againInMs(attempts: number, outcome: NotTaken): number | null {
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
