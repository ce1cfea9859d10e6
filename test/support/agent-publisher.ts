import type { History } from './history.ts'
import { pause } from './until.ts'

export interface AgentOptions {
  readonly name: string
  /** The nodes; each attempt goes to the next one. */
  readonly urls: readonly string[]
  readonly session: string
  readonly credential: string
  readonly history: History
  /** What makes a retry harmless: an id an event, or producer headers. */
  readonly by: 'ids' | 'producer'
  readonly paceMs?: number
  /** How long it waits for an answer before it asks elsewhere. */
  readonly answerWithinMs?: number
  /** Bytes of padding an event. */
  readonly padding?: number
}

type Answer =
  | { readonly kind: 'ok'; readonly body: AppendAnswer }
  | { readonly kind: 'refused'; readonly code: string; readonly retryable: boolean }
  | { readonly kind: 'unknown'; readonly why: string }

interface AppendAnswer {
  readonly epoch: string
  readonly first: number
  readonly serials?: readonly (number | null)[]
  readonly durability: string
}

const ANSWER_WITHIN_MS = 10_000
const UNKNOWN = new Set(['outcome_unknown', 'durability_timeout', 'internal'])

/** An agent that publishes over HTTP, one request at a time, and sends each again, the very same, until it knows what became of it. */
export class AgentPublisher {
  acknowledged = 0
  unknown = 0
  readonly #options: AgentOptions
  readonly #stop = new AbortController()
  #turn = 0
  #seq = 0

  constructor(options: AgentOptions) {
    this.#options = options
  }

  /** Publishes batches of 1 to 4 events until it is stopped; the last one is answered before this resolves. */
  async run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.publish(1 + (this.#seq % 4))
      await pause(this.#options.paceMs ?? 2)
    }
  }

  stop(): void {
    this.#stop.abort()
  }

  /** @returns the serials; it is tried until there is an answer */
  async publish(count = 1): Promise<readonly (number | null)[]> {
    const { name, by, padding = 0 } = this.#options
    const seq = this.#seq
    this.#seq += count
    const keys = Array.from({ length: count }, (_, i) => `${name}-${seq + i}`)
    const events = keys.map((key) => ({
      type: 'x.token',
      ...(by === 'ids' && { id: key }),
      data: { key, ...(padding > 0 && { padding: 'x'.repeat(padding) }) },
    }))
    const headers =
      by === 'producer'
        ? { 'producer-id': name, 'producer-epoch': '1', 'producer-seq': `${seq}` }
        : {}
    for (const key of keys) this.#record({ kind: 'append.invoke', id: key })
    const body = JSON.stringify(events)
    for (;;) {
      const answer = await this.#send(body, headers)
      if (answer.kind === 'ok') return this.#acknowledged(keys, answer.body)
      this.#failed(keys, answer)
      await pause(20 + Math.random() * 30)
    }
  }

  #acknowledged(keys: readonly string[], body: AppendAnswer): readonly (number | null)[] {
    const serials = body.serials ?? keys.map((_, index) => body.first + index)
    for (const [index, key] of keys.entries()) {
      const serial = serials[index] ?? null
      this.#record({
        kind: 'append.ok',
        id: key,
        epoch: body.epoch,
        serial,
        mode: body.durability,
      })
    }
    this.acknowledged += keys.length
    return serials
  }

  #failed(keys: readonly string[], answer: Exclude<Answer, { kind: 'ok' }>): void {
    if (answer.kind === 'unknown') this.unknown++
    for (const id of keys) {
      if (answer.kind === 'unknown') this.#record({ kind: 'append.unknown', id, why: answer.why })
      else this.#record({ kind: 'append.refused', id, code: answer.code })
    }
    if (answer.kind === 'refused' && !answer.retryable) {
      throw new Error(`${this.#options.name} was refused for good: ${answer.code}`)
    }
  }

  async #send(body: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
    const { urls, session, credential } = this.#options
    const url = urls[this.#turn % urls.length] ?? ''
    try {
      const response = await fetch(`${url}/v1/sessions/${session}/events`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${credential}`,
          'content-type': 'application/json',
          ...headers,
        },
        body,
        signal: AbortSignal.timeout(this.#options.answerWithinMs ?? ANSWER_WITHIN_MS),
      })
      const content = (await response.json()) as Record<string, unknown>
      // The shape of a 200 is the contract's; a test that uses a missing field fails by it.
      if (response.status === 200) return { kind: 'ok', body: content as unknown as AppendAnswer }
      this.#turn++
      const code = String(content['code'])
      if (UNKNOWN.has(code)) return { kind: 'unknown', why: code }
      return { kind: 'refused', code, retryable: content['retryable'] === true }
    } catch (error) {
      this.#turn++
      return { kind: 'unknown', why: reasonOf(error) }
    }
  }

  #record(fact: Parameters<History['record']>[2]): void {
    this.#options.history.record(this.#options.name, this.#options.session, fact)
  }
}

/** `fetch` says the same of every failure; what happened is in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return error.cause instanceof Error ? error.cause.message : error.message
}
