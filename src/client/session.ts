import type { Member } from '../protocol/event.ts'
import type { Input, Question } from '../protocol/fold/fold-input.ts'
import type { OpenDelivery, OpenEffect, StateEntry } from '../protocol/fold/fold-record.ts'
import { isOver, type Run } from '../protocol/fold/fold-run.ts'
import type { View } from '../protocol/fold/view.ts'
import type { PresenceRequest } from '../protocol/frames-up.ts'
import type { Part, Role } from '../protocol/messages.ts'
import type { Controller } from '../protocol/record-events.ts'
import type { Ack } from './ack.ts'
import type { EventStream } from './event-stream.ts'
import { mintId } from '../sdk/mint-id.ts'
import type { EntryInput, NewEvent, OutboxEntry } from './outbox-entry.ts'
import { partsOf, type ClientMessage } from './pending.ts'
import type { SessionEngine } from './session-engine.ts'
import type { Cursor, SessionEvents, SessionSnapshot, SessionState } from './session-types.ts'
import type { CancelAnswer, CancelTarget, InputAnswer, NewInput, StateCondition } from './verbs.ts'

export interface SendOptions {
  /** The message's id, which is also the idempotency key. Default: a new ULID. */
  readonly id?: string
  /** The message that this one answers; `null`: none. Default: the one that was started last. A second child is a fork. */
  readonly parent?: string | null
  /** Default `user`. */
  readonly role?: Role
  readonly metadata?: Readonly<Record<string, unknown>>
}

export interface PromptOptions extends Pick<SendOptions, 'id' | 'parent'> {
  /** `queue`, the default: for the next run. `steer`: for the run that lives, at its next step. */
  readonly mode?: EntryInput['mode']
  /** The run that it is meant for. Default: whichever lives, or comes next. */
  readonly run?: string | undefined
  readonly data?: unknown
}

/**
 * A session as this client sees it. The first use attaches; from then on the view follows the log over any number of
 * connections, and what is sent arrives once.
 */
export class Session {
  readonly #engine: SessionEngine
  readonly #now: () => number

  /** Made by `client.session(id)`. */
  constructor(engine: SessionEngine, now: () => number) {
    this.#engine = engine
    this.#now = now
  }

  get id(): string {
    return this.#engine.id
  }

  get state(): SessionState {
    return this.#engine.state
  }

  /** In order, with what is on its way at the end. The same array until something changes. */
  get messages(): readonly ClientMessage[] {
    return this.#engine.snapshot().messages
  }

  /** Who is there, as the view has it. The same array until something changes. */
  get members(): readonly Member[] {
    return this.#engine.snapshot().members
  }

  /** Executions of agents, and how each is: those that live, and those that ended last. The same array until something changes. */
  get runs(): readonly Run[] {
    return this.#engine.snapshot().runs
  }

  /** What people sent to agents, and waits for one. */
  get inputs(): readonly Input[] {
    return this.#engine.snapshot().inputs
  }

  /** What agents ask: the open ones, and those that were closed last. */
  get questions(): readonly Question[] {
    return this.#engine.snapshot().questions
  }

  /** What the session shares, by key. (`state` is that of the attachment.) */
  get sharedState(): ReadonlyMap<string, StateEntry> {
    return this.#engine.snapshot().sharedState
  }

  /** Side effects of agents that are not known to be done. */
  get effects(): readonly OpenEffect[] {
    return this.#engine.snapshot().effects
  }

  /** Results that their person has not taken yet. */
  get deliveries(): readonly OpenDelivery[] {
    return this.#engine.snapshot().deliveries
  }

  /** Who speaks in the agents' place; `null`: they do themselves. */
  get controller(): Controller | null {
    return this.#engine.snapshot().controller
  }

  /** The fold of the log, alive: it changes under your eyes. For a screen, take `getSnapshot()`. */
  get view(): Omit<View, 'apply' | 'restore'> {
    return this.#engine.reader.view
  }

  /** Where the view stands; `null` before the first snapshot. */
  get position(): string | null {
    return this.#engine.snapshot().position
  }

  /** What is to be published, and what has failed, in the order of the calls. */
  get outbox(): readonly OutboxEntry[] {
    return this.#engine.outbox.entries
  }

  /** Attaches, where that has not happened; tries again after `failed`. @throws ClientError `client_closed` */
  attach(): void {
    this.#engine.attach()
  }

  /** Stops watching, and leaves at once where present. Never a cancel. The view stays, so that coming back is a resume. */
  detach(): void {
    this.#engine.detach()
  }

  /** @returns what ends it. A listener that throws hurts nobody else. */
  on<K extends keyof SessionEvents>(
    name: K,
    listener: (value: SessionEvents[K]) => void,
  ): () => void {
    const off = this.#engine.emitter.on(name, listener)
    this.#engine.attach()
    return off
  }

  /** For an external store: called when `getSnapshot()` gives another object, at most once a frame. Bound. */
  readonly subscribe = (listener: () => void): (() => void) => this.on('change', listener)

  /** Bound. */
  readonly getSnapshot = (): SessionSnapshot => this.#engine.snapshot()

  /**
   * Every event, each once, in order; ends with `return()`, `detach()` or the client. Without `after` (or the session's
   * `cursor`), from where the view stands now. A consumer that is slow costs a bounded queue: the rest waits on the server,
   * and is read with requests, which take the right `history`.
   * @param options.after a position or a serial to begin after; 0: from the earliest that is kept; `tab`: from the last event
   * that a reader of this tab had done with (had asked for the next one)
   * @throws ClientError from `next()`: `position_unrecoverable`, with the reason, when what follows can't be given; other refusals
   */
  events(options: { readonly after?: Cursor } = {}): EventStream {
    return this.#engine.events(options.after)
  }

  /**
   * Appends events, all or none, in the order of the calls. Kept until answered, over reconnects and (in a browser) reloads, and
   * sent again with the same ids.
   * @param events at most 1,000; ids are minted where they are missing
   * @returns the acknowledgement: it is in the log
   * @throws ClientError by the promise: the refusal; `outcome_unknown` when an attempt of more than 9 minutes ago may have arrived
   * and can't be recognised any more; `outbox_full`; `client_closed` (it is kept)
   */
  publish(events: NewEvent | readonly NewEvent[]): Promise<Ack> {
    return quiet(() => {
      this.#engine.attach()
      return this.#engine.outbox.add(isList(events) ? events : [events])
    })
  }

  /**
   * Says something: a whole message in one event. It is in `messages` at once, `pending` until its event arrives; `failed`
   * when it is refused.
   * @throws ClientError as `publish` does
   */
  send(content: string | readonly Part[], options: SendOptions = {}): Promise<Ack> {
    return this.#say(content, options)
  }

  /**
   * Says something to the agents: a message and the input that brings it to them, in one. In `messages` at once and kept over a reload, as what is sent;
   * `input` tells more of what became of it, and keeps nothing.
   * @throws ClientError as `publish` does; `too_late` where it was cancelled before it arrived
   */
  prompt(content: string | readonly Part[], options: PromptOptions = {}): Promise<Ack> {
    const { mode = 'queue', run, data, ...said } = options
    return this.#say(content, said, { mode, run, data })
  }

  /** Sends what has failed once more, by the id of the message or of the first event. */
  retry(id: string): void {
    this.#engine.attach()
    this.#engine.outbox.retry(id)
  }

  /** Forgets what has not been sent or has failed. @returns `false`: it is on its way, not there, or kept beyond the end of the client */
  discard(id: string): boolean {
    return this.#engine.discard(id)
  }

  /**
   * Reaches whoever is attached now; never stored, may be lost. Heard over a WebSocket and over server-sent events; who polls
   * may send signals, and hears none.
   * @param name 1 to 64 characters
   * @param data JSON of at most 8 KiB
   * @returns whether it went out; `false` while not attached, or when those before it are still on their way
   */
  signal(name: string, data?: unknown): boolean {
    return this.#engine.signal(name, data)
  }

  /**
   * The subject has read up to here. It never falls; only the furthest is sent.
   * @param serial default: where the view stands
   * @throws ClientError by the promise: a refusal; `client_closed`; `disconnected` where the code for it could not be loaded: it is told after the next attach
   */
  read(serial: number = this.#engine.reader.position?.serial ?? 0): Promise<void> {
    return quiet(() => this.#engine.mark(serial))
  }

  /**
   * Sends something to an agent. With `parts` it is a message too, which people see once it is in the log. The following verbs, like this one, are
   * requests with the same credentials, whose code is loaded with the first; they are tried again for a while, with the same id, but not kept over a reload.
   * @throws ClientError by the promise: the refusal; `disconnected`, `timeout`: the outcome is unknown; `client_closed`
   */
  async input({ id, parts, ...more }: NewInput): Promise<InputAnswer> {
    const said = {
      ...more,
      input: id ?? mintId(this.#now()),
      parts: parts === undefined ? parts : partsOf(parts),
    }
    return (await this.#engine.verbs()).input(said)
  }

  /**
   * Stops what runs (the run that is named; else the one that lives, or, where it is not one alone, all), in the very moment in which it says why. It never
   * stops what was started later: one that names its run is `too_late` by then, and one that names none is sent once. Throws as `input` does.
   */
  interrupt(
    parts?: string | readonly Part[],
    options: Omit<NewInput, 'mode' | 'parts'> = {},
  ): Promise<InputAnswer> {
    const [live, ...others] = this.runs.filter(({ status }) => !isOver(status))
    const alone = live !== undefined && others.length === 0
    return this.input({ ...(alone && { run: live.id }), ...options, mode: 'interrupt', parts })
  }

  /** Ends a run, or an input and the run that it triggered. What is over stays as it is. Throws as `input` does. */
  async cancel(target: CancelTarget): Promise<CancelAnswer> {
    return (await this.#engine.verbs()).cancel(target)
  }

  /** Answers an agent's question, once, from any device. Throws as `input` does, and `question_closed`, `answer_invalid`. */
  async answer(question: string, answer: unknown): Promise<void> {
    return (await this.#engine.verbs()).answer(question, answer)
  }

  /**
   * Sets a key of the shared state; sent once.
   * @returns its new version
   * @throws ClientError as `input` does, and `version_conflict`
   */
  async setState(key: string, value: unknown, condition: StateCondition = {}): Promise<number> {
    return (await this.#engine.verbs()).setState(key, value, condition)
  }

  /** Changes the value that is there: an array is a JSON Patch, an object a merge patch. As `setState`, and `patch_failed`. */
  async patchState(key: string, patch: object, condition: StateCondition = {}): Promise<number> {
    return (await this.#engine.verbs()).patchState(key, patch, condition)
  }

  /** As `setState`. */
  async deleteState(key: string, condition: StateCondition = {}): Promise<void> {
    return (await this.#engine.verbs()).deleteState(key, condition)
  }

  /** Speaks in the agents' place from now on. Throws as `input` does, and `control_taken`. */
  async takeControl(options: { readonly force?: boolean } = {}): Promise<void> {
    return (await this.#engine.verbs()).takeControl(options)
  }

  async releaseControl(): Promise<void> {
    return (await this.#engine.verbs()).releaseControl()
  }

  /**
   * How this tab is seen, from now on and after every reconnect; `visible` follows the page where it is not said.
   * @param wish merged into what was wished before
   * @returns when the server has it; at once where there is no connection: it is then said with the next attach
   * @throws ClientError by the promise: a refusal; `client_closed`; a TypeError for what is no JSON
   */
  presence(wish: PresenceRequest): Promise<void> {
    return quiet(() => this.#engine.present(wish))
  }

  #say(content: string | readonly Part[], options: SendOptions, input?: EntryInput): Promise<Ack> {
    const { id = mintId(this.#now()), parent, role = 'user', metadata } = options
    const data = {
      message: id,
      role,
      parts: partsOf(content),
      ...(parent !== undefined && { parent }),
      ...(metadata !== undefined && { metadata }),
    }
    return quiet(() => {
      this.#engine.attach()
      return this.#engine.outbox.add([{ type: 'message.completed', id, data }], input)
    })
  }
}

/**
 * Whatever fails fails by the promise, and who does not look at it is not an unhandled rejection: what was sent shows in
 * the messages and the outbox too, and what was marked or wished is said again.
 */
function quiet<T>(run: () => Promise<T>): Promise<T> {
  const answer = new Promise<T>((resolve) => resolve(run()))
  answer.catch(() => {})
  return answer
}

function isList(events: NewEvent | readonly NewEvent[]): events is readonly NewEvent[] {
  return Array.isArray(events)
}
