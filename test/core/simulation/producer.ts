import type { Draft } from '../../../src/core/new-event.ts'
import type { ProducerId } from '../../../src/protocol/ids.ts'
import { HeldlineError } from '../../../src/protocol/errors.ts'
import type { SimClientPorts } from '../../support/sim-client.ts'
import { nextWord } from '../talk.ts'
import { BY, drafted, SESSION } from '../world.ts'

export interface SimProducerPorts extends SimClientPorts {
  readonly open: () => Promise<void>
  readonly over: () => boolean
}

/** Says one thing after the other, each until it has an answer that is not "unknown": the same again, with the same ids, at any node. */
export class SimProducer {
  readonly #name: string
  readonly #ports: SimProducerPorts
  /** With seqs beside its ids, like an agent's SDK. */
  readonly #numbered: boolean
  #count = 0
  #message: { readonly id: string; begun: boolean } | null = null
  #epoch = 1
  #seq = 1
  done: Promise<void>

  constructor(name: string, numbered: boolean, ports: SimProducerPorts) {
    this.#name = name
    this.#numbered = numbered
    this.#ports = ports
    this.done = this.#run()
  }

  async #run(): Promise<void> {
    const { clock, random, over } = this.#ports
    while (!over()) {
      await this.#say(Array.from({ length: random.int(1, 3) }, () => this.#word()))
      await clock.sleep(random.int(0, 400))
    }
  }

  /** Mostly a message of its own, from its start to its end; at times something of its own type, or a word into another's. */
  #word(): Draft {
    const { random } = this.#ports
    const id = `${this.#name}-${++this.#count}`
    const dice = random.fraction()
    if (dice < 0.15) return { ...drafted('x.n', { n: this.#count }), id }
    if (dice < 0.25) return { ...nextWord(random, 2, `m${Math.floor(this.#count / 8)}.`), id }
    const message = (this.#message ??= { id: `${id}-m`, begun: false })
    const data = { message: message.id }
    if (!message.begun) {
      message.begun = true
      return { ...drafted('message.started', { ...data, role: 'assistant' }), id }
    }
    if (dice < 0.85) return { ...drafted('message.delta', { ...data, text: `${id} ` }), id }
    this.#message = null
    return { ...drafted('message.completed', data), id }
  }

  async #say(drafts: readonly Draft[]): Promise<void> {
    const { clock, random, nodes } = this.#ports
    const seq = this.#seq
    for (;;) {
      for (const { id } of drafts) this.#record({ kind: 'append.invoke', id: String(id) })
      const reachable = nodes()
      try {
        if (reachable.length === 0) throw new HeldlineError('store_unavailable', 'nobody is there')
        const id = this.#name as ProducerId
        const producer = { id, epoch: this.#epoch, seq: this.#seq }
        const { epoch, serials } = await random.pick(reachable).sessions.append({
          session: SESSION,
          drafts,
          by: BY,
          ...(this.#numbered && { producer }),
        })
        this.#seq = seq + drafts.length
        for (const [index, draft] of drafts.entries()) {
          const serial = serials[index] ?? null
          this.#record({ kind: 'append.ok', id: String(draft.id), epoch, serial, mode: 'async' })
        }
        return
      } catch (error) {
        if (!(error instanceof HeldlineError)) throw error
        for (const draft of drafts) this.#answered(String(draft.id), error)
        if (error.code === 'session_not_found') await this.#ports.open()
        // The store has lost what it knew of this producer: it begins anew.
        else if (error.code === 'producer_gap') this.#epoch++
        else if (!error.retryable) {
          this.#message = null
          return
        }
        await clock.sleep(random.int(20, 300))
      }
    }
  }

  #answered(id: string, { code, retryable }: HeldlineError): void {
    if (retryable) this.#record({ kind: 'append.unknown', id, why: code })
    else this.#record({ kind: 'append.refused', id, code })
  }

  #record(fact: Parameters<SimProducerPorts['record']>[1]): void {
    this.#ports.record(this.#name, fact)
  }
}
