import type { InputMode } from '../protocol/input-events.ts'
import type { Part } from '../protocol/messages.ts'
import type { RunStatus } from '../protocol/run-events.ts'
import type { Ack } from './ack.ts'
import type { ClientError } from './client-error.ts'
import type { Clock } from '../sdk/clock.ts'
import { invalidAnswer, type Http, type HttpRequest } from './http.ts'
import type { OutboxEntry } from './outbox-entry.ts'

/** What a person sends to an agent. */
export interface NewInput {
  /** Its id, which is also its message's, and the idempotency key. Default: a new ULID. */
  readonly id?: string
  /** `queue`: for the next run. `steer`: for the run that lives, at its next step. `interrupt`: now, and what runs is cancelled. */
  readonly mode: InputMode
  /** The run that it is meant for. Default: whichever lives, or comes next. */
  readonly run?: string
  /** What people read of it, as a user's message. */
  readonly parts?: string | readonly Part[] | undefined
  /**
   * The parent of that message (`null`: a root), so that another one with the parent of an earlier message is an edit. Default: the message that was
   * started last. Without `parts`: the message that is to be answered again.
   */
  readonly parent?: string | null
  readonly data?: unknown
  /** When it is over, where nobody took it. Default: never. */
  readonly expiresInMs?: number
}

export interface InputAnswer {
  readonly input: string
  /** It waits; or it has cancelled what it meant; or what it meant is over, and it is not kept. */
  readonly outcome: 'queued' | 'delivered' | 'too_late'
  /** The serial of its last event: a view that stands there knows of it. Not where nothing was kept, or the server no longer knows. */
  readonly last?: number
}

/** One of the two. */
export type CancelTarget = ({ readonly run: string } | { readonly input: string }) & {
  readonly reason?: string
}

export interface CancelAnswer {
  /** Whether this very request ended it. */
  readonly cancelled: boolean
  /** What the run is now, where there is one. */
  readonly status?: RunStatus
}

export interface StateCondition {
  /** Only over this version; `null`: only where the key is not set. Else `version_conflict`. */
  readonly ifVersion?: number | null
}

export interface VerbPorts {
  readonly http: Http
  readonly clock: Clock
  readonly random: () => number
  /** Ends what is under way. */
  readonly signal: AbortSignal
}

type Json = Readonly<Record<string, unknown>>
type Answered = Promise<Json>
type Method = NonNullable<HttpRequest['method']>

/** Written out: the schemas are not for browsers. */
const OUTCOMES: Readonly<Record<InputAnswer['outcome'], true>> = {
  queued: true,
  delivered: true,
  too_late: true,
}
const STATUSES: Readonly<Record<RunStatus, true>> = {
  thinking: true,
  streaming: true,
  waiting: true,
  stalled: true,
  finished: true,
  failed: true,
  cancelled: true,
  lost: true,
}

const MAX_TRIES = 6
const BASE_MS = 500

/** What a person does to a session beside speaking. One object a session; its answers are the contract's. [P-10] [P-11] [P-12] [P-14] */
export class Verbs {
  readonly #ports: VerbPorts
  readonly #session: string

  constructor(ports: VerbPorts, session: string) {
    this.#ports = ports
    this.#session = session
  }

  async input(body: Omit<NewInput, 'id'> & { readonly input: string }): Promise<InputAnswer> {
    // A stop that names no run would stop another one, if it came late.
    const tries = body.mode === 'interrupt' && body.run === undefined ? 1 : MAX_TRIES
    return this.#insist(
      ['inputs'],
      body,
      ({ input, outcome, last }) =>
        typeof input === 'string' && isOneOf(OUTCOMES, outcome)
          ? { input, outcome, ...(typeof last === 'number' && { last }) }
          : null,
      tries,
    )
  }

  /**
   * Sends an entry of the outbox, once: who calls sends it again.
   * @throws ClientError as `input` does; `too_late` where it was cancelled before it came
   */
  async prompt({ id, events, input }: OutboxEntry): Promise<Ack> {
    const { parts, parent } = Object(events[0]?.data) as Json
    const body = { ...input, input: id, parts, parent }
    const answer = await this.#ask({ method: 'POST', path: this.#path(['inputs']), body })
    if (answer['outcome'] === 'too_late') {
      const { ClientError } = this.#ports.http.kit
      throw new ClientError('too_late', 'unable to send; it was cancelled before it arrived')
    }
    const frame = this.#ports.http.kit.readFrame({ ...answer, type: 'ack', ref: '' })
    if (frame?.type !== 'ack') throw this.#unreadable('a prompt')
    return this.#ports.http.kit.ackOf(frame)
  }

  async cancel(target: CancelTarget): Promise<CancelAnswer> {
    const { reason } = target
    const path = 'run' in target ? ['runs', target.run] : ['inputs', target.input]
    return this.#insist([...path, 'cancel'], { reason }, ({ cancelled, status }) =>
      typeof cancelled === 'boolean'
        ? { cancelled, ...(isOneOf(STATUSES, status) && { status }) }
        : null,
    )
  }

  async answer(question: string, answer: unknown): Promise<void> {
    await this.#insist(['questions', question, 'answer'], { answer }, has('question'))
  }

  async setState(key: string, value: unknown, condition: StateCondition): Promise<number> {
    return this.#versionOf(await this.#write('PUT', key, condition, value))
  }

  async patchState(key: string, patch: object, condition: StateCondition): Promise<number> {
    const type = Array.isArray(patch) ? 'json-patch' : 'merge-patch'
    const contentType = `application/${type}+json`
    return this.#versionOf(await this.#write('PATCH', key, condition, patch, contentType))
  }

  async deleteState(key: string, condition: StateCondition): Promise<void> {
    await this.#write('DELETE', key, condition)
  }

  async takeControl(options: { readonly force?: boolean }): Promise<void> {
    await this.#insist(['control', 'take'], options, has('controller'))
  }

  async releaseControl(): Promise<void> {
    await this.#insist(['control', 'release'], {}, has('released'))
  }

  /** Sent once: a second try could not be told from a second wish. */
  #write(
    method: Method,
    key: string,
    { ifVersion }: StateCondition,
    body?: unknown,
    contentType?: string,
  ): Answered {
    const headers: Record<string, string> = {}
    if (contentType !== undefined) headers['content-type'] = contentType
    if (ifVersion === null) headers['if-none-match'] = '*'
    else if (ifVersion !== undefined) headers['if-match'] = `"${ifVersion}"`
    return this.#ask({ method, path: this.#path(['state', key]), headers, body })
  }

  #versionOf({ version }: Json): number {
    if (typeof version === 'number') return version
    throw this.#unreadable('a change of the state')
  }

  /**
   * Sent again where no answer came: to do it twice is to do it once.
   * @param read `null`: that is no answer of the server
   */
  async #insist<T>(
    path: readonly string[],
    body: object,
    read: (answer: Json) => T | null,
    maxTries = MAX_TRIES,
  ): Promise<T> {
    const request = { method: 'POST', path: this.#path(path), body } as const
    for (let tries = 1; ; tries++) {
      try {
        const answer = read(await this.#ask(request))
        if (answer !== null) return answer
        throw this.#unreadable(path.join('/'))
      } catch (error) {
        const { retryable, retryAfterMs = 0 } = error as ClientError
        if (!retryable || tries === maxTries) throw error
        const { random } = this.#ports
        await this.#pause(Math.max(retryAfterMs, Math.floor(random() * BASE_MS * 2 ** tries)))
      }
    }
  }

  /** @throws ClientError */
  async #ask(request: HttpRequest): Answered {
    const { http, signal } = this.#ports
    const { ClientError, clientClosed } = http.kit
    if (signal.aborted) throw clientClosed()
    try {
      return await http.json({ ...request, signal })
    } catch (error) {
      if (signal.aborted) throw clientClosed()
      throw error instanceof ClientError ? error : new ClientError('internal', String(error))
    }
  }

  #unreadable(what: string): ClientError {
    return invalidAnswer(this.#ports.http.kit, `unable to read the answer to ${what}`)
  }

  #pause(ms: number): Promise<void> {
    const { clock, signal } = this.#ports
    return new Promise((resolve) => {
      const go = (): void => {
        timer.cancel()
        signal.removeEventListener('abort', go)
        resolve()
      }
      const timer = clock.after(ms, go)
      signal.addEventListener('abort', go)
    })
  }

  #path(names: readonly string[]): string {
    return ['/v1/sessions', ...[this.#session, ...names].map(encodeURIComponent)].join('/')
  }
}

/** Nothing of the answer is told but that it is one. */
const has = (name: string) => (answer: Json) => (name in answer ? true : null)

function isOneOf<T extends string>(names: Readonly<Record<T, true>>, name: unknown): name is T {
  return typeof name === 'string' && Object.hasOwn(names, name)
}
