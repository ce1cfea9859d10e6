import type { Input } from '../protocol/fold/fold-input.ts'
import type { Epoch, SessionId } from '../protocol/ids.ts'
import type { By } from '../protocol/event.ts'
import type { InputMode } from '../protocol/input-events.ts'
import { run, sessionNotFound } from './commit.ts'
import { inputFate, type InputFate } from './input-fate.ts'
import type { Keeper } from './keeper.ts'
import type { Random } from './random.ts'
import { demandSize } from './raw-data.ts'
import type { ReadPorts } from './read-events.ts'
import { DEADLINE } from './record.ts'
import type { DueDeadline } from './store.ts'
import { receiveInput, type Received } from './transitions/input.ts'
import {
  cancelInput,
  deliverInput,
  inputDue,
  type CancelledInput,
  type Delivered,
  type DeliverRequest,
} from './transitions/input-end.ts'
import { inputNotFound } from './transitions/input-record.ts'
import type { Views } from './views.ts'
import type { WebhookEvents } from './webhook.ts'
import { waitFor, type WaitOptions } from './wait-for.ts'

export interface InputsPorts extends ReadPorts {
  readonly random: Random
  readonly views: Pick<Views, 'at'>
  readonly keeper: Pick<Keeper, 'committed'>
  /** What the webhook is told of; without it, of nothing. */
  readonly webhookEvents?: WebhookEvents
}

/** What a person sends. The texts are JSON, as the bytes that came. */
export interface InputWords {
  readonly session: SessionId
  /** Without it, the input gets one; then a retry is another input. */
  readonly input?: string
  readonly mode: InputMode
  readonly run?: string
  readonly rawParts: string | null
  /** Of the message that the parts are; without parts, the message that is to be answered. [P-16.5] */
  readonly parent?: string | null
  readonly rawData: string | null
  readonly expiresInMs?: number
  readonly by: By
}

export interface Taken extends Received {
  readonly input: string
  readonly epoch: Epoch
}

/** What people send to agents. [P-11] */
export class Inputs {
  readonly #ports: InputsPorts

  constructor(ports: InputsPorts) {
    this.#ports = ports
  }

  /** @throws HeldlineError `payload_too_large`, what `receiveInput` throws */
  async receive(words: InputWords): Promise<Taken> {
    const { random, limits, clock, webhookEvents } = this.#ports
    const { session, input = random.id() } = words
    demandSize('the parts', words.rawParts, limits.maxEventBytes)
    demandSize('the data', words.rawData, limits.maxEventBytes)
    const request = {
      ...words,
      input,
      run: words.run ?? null,
      parent: words.parent,
      expiresInMs: words.expiresInMs ?? null,
      noticeAfterMs: webhookEvents?.has('input.received') ? limits.inputNoticeAfterMs : null,
      nowMs: clock.now(),
      maxWaiting: limits.maxInputs,
      maxBytes: limits.maxInputsBytes,
    }
    const received = await this.#run(session, receiveInput(request, random))
    return { ...received, input, epoch: received.epoch ?? (await this.#epoch(session)) }
  }

  /** Those that wait, oldest first. Waits for the first one. @throws HeldlineError `session_not_found` */
  waiting(session: SessionId, options: WaitOptions): Promise<readonly Input[]> {
    return waitFor(this.#ports, session, 'input', options, async () => {
      const { inputs, position } = await this.#ports.views.at(session)
      return { value: [...inputs.values()], position, found: inputs.size > 0 }
    })
  }

  /** What became of one. @returns `null`: there is none, or it is forgotten @throws HeldlineError `session_not_found` */
  fate(session: SessionId, input: string): Promise<InputFate | null> {
    return inputFate(this.#ports.store, session, input)
  }

  /** As `fate`, once it waits no more, or the time is over. @throws HeldlineError `session_not_found`, `input_not_found` */
  settled(session: SessionId, input: string, options: WaitOptions): Promise<InputFate> {
    return waitFor(this.#ports, session, 'input', options, async () => {
      const { position } = await this.#ports.views.at(session)
      const value = await this.fate(session, input)
      if (value === null) throw inputNotFound()
      return { value, position, found: value.status !== 'waiting' }
    })
  }

  /** @throws what `deliverInput` throws */
  deliver(request: DeliverRequest): Promise<Delivered> {
    return this.#run(request.session, deliverInput(request, this.#ports.random))
  }

  cancel(request: {
    readonly session: SessionId
    readonly input: string
    readonly reason?: string
    readonly by: By
  }): Promise<CancelledInput> {
    return this.#run(request.session, cancelInput(request, this.#ports.random))
  }

  /** The deadline of one that waits is due. */
  async due({ session, deadline, at }: DueDeadline): Promise<void> {
    const input = deadline.slice(DEADLINE.input('').length)
    await this.#run(session, inputDue({ session, input, at }, this.#ports.random))
  }

  async #epoch(session: SessionId): Promise<Epoch> {
    const [head] = await this.#ports.store.heads([session])
    if (head === null || head === undefined) throw sessionNotFound()
    return head.epoch
  }

  #run<T>(session: SessionId, transition: Parameters<typeof run<T>>[1]): Promise<T> {
    const { store, keeper } = this.#ports
    return run(store, transition, (...done) => keeper.committed(session, ...done))
  }
}
