import type { Log } from '../core/log.ts'
import type { Message } from '../protocol/fold/message.ts'
import type { AgentApi } from './api.ts'
import type { Model } from './model.ts'
import { scriptedRun, type Step } from './script.ts'

const MAX_SESSIONS = 200
const RETRY_MS = 500

/**
 * The demo's agent: follows sessions over HTTP like any agent would, and answers what people write. It keeps nothing to itself: which
 * answer is owed, and how far it has come, is read from the session, so that it goes on after a restart in the middle of a sentence.
 */
export class DemoAgent {
  readonly #api: AgentApi
  readonly #model: Model | null
  readonly #log: Log
  readonly #following = new Map<string, Promise<void>>()
  readonly #stop = new AbortController()

  /** @param model `null`: the scripted run */
  constructor(api: AgentApi, model: Model | null, log: Log) {
    this.#api = api
    this.#model = model
    this.#log = log
  }

  /** The name of the model behind it; `null`: the scripted run. */
  get model(): string | null {
    return this.#model?.name ?? null
  }

  /** Goes on with every session that an earlier process left. Never throws. */
  async resume(prefix: string): Promise<void> {
    try {
      for (const session of await this.#api.sessions(prefix)) this.follow(session)
    } catch (error) {
      this.#log.warn('demo.resume_failed', { error })
    }
  }

  /** Looks after a session from now on. Again is the same. */
  follow(session: string): void {
    if (this.#following.has(session) || this.#following.size >= MAX_SESSIONS) return
    const work = this.#serve(session).finally(() => this.#following.delete(session))
    this.#following.set(session, work)
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#following.values())
  }

  async #serve(session: string): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        const { messages, position } = await this.#api.messages(session)
        const question = owed(messages)
        if (question === null) await this.#api.next(session, position, signal)
        else await this.#answer(session, question, messages)
      } catch (error) {
        if (signal.aborted) return
        if (isGone(error)) return
        this.#log.info('demo.retry', { session, error })
        await pause(RETRY_MS, signal)
      }
    }
  }

  async #answer(session: string, question: Message, messages: readonly Message[]): Promise<void> {
    const id = answerId(question)
    const open = messages.find((message) => message.id === id)
    if (this.#model === null) {
      return this.#play(
        session,
        id,
        scriptedRun(id, { id: question.id, text: textOf(question) }),
        open,
      )
    }
    await this.#model.answer({
      messages: pathTo(question, messages),
      signal: this.#stop.signal,
      begun: open !== undefined,
      append: (index, step) => this.#append(session, id, index, step, question.id),
    })
  }

  /** Steps that the log holds are passed over; one that may or may not be there is sent again, and stands once. */
  async #play(
    session: string,
    id: string,
    steps: readonly Step[],
    open: Message | undefined,
  ): Promise<void> {
    const done = open === undefined ? 0 : progress(open, steps)
    for (const [index, step] of steps.entries()) {
      if (index < done) continue
      await pause(step.afterMs, this.#stop.signal)
      if (this.#stop.signal.aborted) return
      await this.#api.append(session, { id: `${id}.${index}`, type: step.type, data: step.data })
    }
  }

  #append(
    session: string,
    id: string,
    index: number,
    step: Omit<Step, 'afterMs'>,
    parent: string,
  ): Promise<void> {
    const started = step.type === 'message.started' ? { role: 'assistant', parent } : {}
    const data = { message: id, ...started, ...step.data }
    return this.#api.append(session, { id: `${id}.${index}`, type: step.type, data })
  }
}

function answerId(question: Message): string {
  return `answer-${question.id}`.slice(0, 100)
}

/** The latest message of a person that has no finished answer; `null` when nothing is owed. */
function owed(messages: readonly Message[]): Message | null {
  const question = messages
    .filter((message) => message.role === 'user' && message.status === 'completed')
    .at(-1)
  if (question === undefined) return null
  const answer = messages.find((message) => message.id === answerId(question))
  return answer === undefined || answer.status === 'open' ? question : null
}

/** How many of the steps an open answer holds, found by the length of what it shows. */
function progress(answer: Message, steps: readonly Step[]): number {
  const held = JSON.stringify(answer.parts).length
  let done = 1
  let shown = { ...answer, parts: [] as Message['parts'] }
  for (const [index, step] of steps.entries()) {
    if (index === 0) continue
    const { add, text, part, type } = step.data as {
      add?: Message['parts'][number]
      text?: string
      part?: string
      type?: string
    }
    shown = {
      ...shown,
      parts: extend(
        shown.parts,
        add ?? { id: part ?? '', type: type ?? 'text', text: text ?? '' },
        add !== undefined,
      ),
    }
    if (JSON.stringify(shown.parts).length > held) return done
    done = index + 1
  }
  return done
}

function extend(
  parts: Message['parts'],
  part: Message['parts'][number],
  whole: boolean,
): Message['parts'] {
  const index = parts.findIndex((other) => other.id === part.id)
  const old = parts[index]
  if (old === undefined) return [...parts, part]
  return parts.with(index, whole ? part : { ...old, text: (old.text ?? '') + (part.text ?? '') })
}

export function textOf(message: Message): string {
  return message.parts
    .filter((part) => part.type === 'text')
    .map((part) => part.text ?? '')
    .join('\n')
}

/** The messages from the root to one, by their parents: what a model is to know. */
function pathTo(message: Message, messages: readonly Message[]): Message[] {
  const byId = new Map(messages.map((one) => [one.id, one]))
  const path: Message[] = []
  for (let one: Message | undefined = message; one !== undefined && path.length < 40;) {
    path.unshift(one)
    one = one.parent === null ? undefined : byId.get(one.parent)
  }
  return path
}

function isGone(error: unknown): boolean {
  return error instanceof Error && error.message.endsWith('; 404')
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}
