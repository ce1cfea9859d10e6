import { AgentError } from './agent-error.ts'

/** Shorter ones are of a deploy, or of a network that had a moment of its own. */
const TELL_AFTER_MS = 5000

type Hears = (error: AgentError) => void

/**
 * That the server has not answered for a while, told once for all who wait for it: each is tried again, and would say so only when its time is over. To the first of
 * those who serve; to the console where nobody does.
 */
export class Outage {
  readonly #server: string
  readonly #hearing = new Set<Hears>()
  #told = false

  /** @param url where the server should be */
  constructor(url: string) {
    // Not as it is: it may hold a password.
    this.#server = new URL(url).origin
  }

  /** @returns takes it back */
  hear(hears: Hears): () => void {
    this.#hearing.add(hears)
    return () => this.#hearing.delete(hears)
  }

  /** One request has failed for so long. @returns whether that was long enough to be told, by whomever */
  lasts(error: AgentError, forMs: number): boolean {
    if (forMs < TELL_AFTER_MS) return false
    if (this.#told) return true
    this.#told = true
    const { code, retryAfterMs, facts } = error
    const options = { retryable: true, retryAfterMs, facts, cause: error }
    const words = `unable to get through to ${this.#server}; ${reasonOf(error)}; it is tried again`
    const [hears = tellConsole] = this.#hearing
    hears(new AgentError(code, words, options))
    return true
  }

  over(): void {
    this.#told = false
  }
}

function tellConsole(error: AgentError): void {
  console.error(`heldline/agent: ${error.message}`)
}

function reasonOf(error: AgentError): string {
  if (error.code !== 'disconnected') return `${error.message} (${error.code})`
  let cause: unknown = error.cause
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause
  // Whatever answers with success and a page.
  if (cause instanceof SyntaxError) return `what answers there is no JSON: is that Heldline?`
  if (!(cause instanceof Error)) return 'no answer came'
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message
}
