import type { WireEvent } from '../protocol/event.ts'
import type { Message } from '../protocol/fold/message.ts'
import type { AgentLane, Appender } from './appender.ts'
import type { RunBranch } from './run-branch.ts'
import { MessageWriter, type MessageOptions } from '../protocol/formats/message-writer.ts'

/**
 * The messages of a run, named by the run and their order: the same names when the run is tried again. There is one at a time that what is written
 * goes to; a second stream that is piped meanwhile has one of its own.
 */
export class RunMessages {
  readonly #run: string
  readonly #appender: Appender
  readonly #branch: RunBranch
  readonly #defaults: MessageOptions
  readonly #earlier: ReadonlyMap<string, Message>
  readonly #piped = new Set<MessageWriter>()
  readonly #lanes = new WeakMap<MessageWriter, AgentLane>()
  #count = 0
  #current: MessageWriter | null = null
  /** The part that text without a stream goes on in. */
  #textPart: string | null = null

  /** @param earlier what an earlier process of the run wrote @param goOn write on in its last open message */
  constructor(
    run: string,
    appender: Appender,
    branch: RunBranch,
    defaults: MessageOptions,
    earlier: readonly Message[],
    goOn: boolean,
  ) {
    this.#run = run
    this.#appender = appender
    this.#branch = branch
    this.#defaults = defaults
    this.#earlier = new Map(earlier.map((message) => [message.id, message]))
    if (!goOn) return
    this.#count = earlier.length
    const open = earlier.findLast((message) => message.status === 'open')
    if (open !== undefined) this.#current = this.#writer(open.id, {}, open, true)
  }

  /** What is written goes to this one. */
  get current(): MessageWriter {
    if (this.#current === null || this.#isOver(this.#current)) this.#current = this.#open({})
    return this.#current
  }

  /** Somebody ended the message in our place, as whoever takes control does: what is written later is another one. */
  hear({ type, data }: WireEvent): void {
    const id = this.#current?.id
    if (type !== 'message.completed' || id === undefined) return
    if (typeof data === 'object' && data !== null && 'message' in data && data.message === id)
      this.#current = null
  }

  /** Ends the message, and begins another one with the next thing that is written. */
  async next(options: MessageOptions): Promise<void> {
    const before = this.#current
    this.#current = this.#open(options)
    if (before !== null && !this.#piped.has(before)) await before.end()
  }

  /** The current one, unless another stream goes there already. */
  take(): MessageWriter {
    const busy = this.#current !== null && this.#piped.has(this.#current)
    const message = busy ? this.#open({}) : this.current
    this.#piped.add(message)
    return message
  }

  /** The stream is over; what comes next is another message. */
  giveBack(message: MessageWriter): void {
    this.#piped.delete(message)
    if (this.#current === message && message.over) this.#current = null
  }

  /** Ends the current one, if there is one. */
  async end(): Promise<void> {
    if (this.#current !== null && !this.#isOver(this.#current)) await this.#current.end()
  }

  async addText(text: string): Promise<void> {
    if (text === '') return
    const { current } = this
    const goesOn = this.#textPart !== null && current.lastPart === this.#textPart
    const part = goesOn && this.#textPart !== null ? this.#textPart : current.nextPart()
    this.#textPart = part
    await current.addText(part, 'text', text)
  }

  #open(options: MessageOptions): MessageWriter {
    const id = `${this.#run}.m${++this.#count}`
    const earlier = this.#earlier.get(id) ?? null
    return this.#writer(id, { ...this.#defaults, ...options }, earlier, false)
  }

  #writer(
    id: string,
    options: MessageOptions,
    earlier: Message | null,
    goOn: boolean,
  ): MessageWriter {
    const lane = this.#appender.lane()
    const writer = new MessageWriter(id, this.#branch.lane(lane), options, earlier, goOn)
    this.#lanes.set(writer, lane)
    return writer
  }

  #isOver(writer: MessageWriter): boolean {
    return writer.over || this.#lanes.get(writer)?.over === true
  }
}
