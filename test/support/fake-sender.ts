import type { WebhookMessage, WebhookOutcome, WebhookSender } from '../../src/core/webhook.ts'

/** A webhook whose receiver is in the test's hand. */
export class FakeSender implements WebhookSender {
  readonly sent: (WebhookMessage & { readonly at: number })[] = []
  /** What the next tries come to, in order; after the last, `outcome`. */
  readonly next: WebhookOutcome[] = []
  outcome: WebhookOutcome = { kind: 'taken' }
  /** How many are under way now, and were at most. */
  busy = 0
  most = 0
  readonly #now: () => number
  #held: (() => void)[] | null = null

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  async send(message: WebhookMessage, signal: AbortSignal): Promise<WebhookOutcome> {
    this.sent.push({ ...message, at: this.#now() })
    this.most = Math.max(this.most, ++this.busy)
    const came = this.next.shift() ?? this.outcome
    try {
      const held = this.#held
      if (held !== null) {
        await new Promise<void>((resolve) => {
          held.push(resolve)
          signal.addEventListener('abort', () => resolve())
        })
      }
      return signal.aborted ? failed('aborted') : came
    } finally {
      this.busy--
    }
  }

  /** From now on no try ends. */
  hold(): void {
    this.#held ??= []
  }

  /** All tries end. */
  release(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const resolve of held) resolve()
  }

  /** What was told, as it was read. */
  bodies(): Record<string, unknown>[] {
    return this.sent.map(({ body }) => JSON.parse(body) as Record<string, unknown>)
  }
}

export function failed(reason: string, retryAfterMs: number | null = null): WebhookOutcome {
  return { kind: 'failed', reason, retryAfterMs }
}
