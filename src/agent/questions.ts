import { AgentError } from './agent-error.ts'
import { textOr } from './fields.ts'
import { insist } from './insist.ts'
import { mintId } from '../sdk/mint-id.ts'
import type { RunApi } from './run-api.ts'

export interface Ask {
  readonly prompt: string
  /** JSON Schema of the answer: one that does not fit is refused before anybody sees it. */
  readonly schema?: Readonly<Record<string, unknown>>
  /** Whatever a page needs to show the question. */
  readonly data?: unknown
  /** Nobody can answer any more after that. Default: the question waits for as long as the run lives. */
  readonly expiresInMs?: number
  /** The question's id. Given the same again, the answer to the earlier one is the answer. */
  readonly question?: string
}

const WAIT_S = 25
const TIMEOUT_MS = 40_000

/**
 * Asks people, and waits for the answer, however long that takes. [P-11.5]
 * @throws AgentError `question_closed` when it expired or was withdrawn; the reason of the signal
 */
export async function ask(api: RunApi, asked: Ask, signal: AbortSignal): Promise<unknown> {
  const { question = mintId(api.session.ports.clock.now()), ...rest } = asked
  await api.postBeside('/questions', { question, run: api.run, ...rest }, 'question', signal)
  const path = `/questions/${encodeURIComponent(question)}`
  const waiting = { query: { wait: WAIT_S }, signal, timeoutMs: TIMEOUT_MS }
  const request = { path, expects: 'status', ...waiting }
  // A person may take days, and the run lives without a sign meanwhile: no time for which the server is away ends the waiting.
  const patience = { ...api.session.ports, retryForMs: Infinity }
  for (;;) {
    const found = await insist(patience, () => api.session.once(request), signal)
    const outcome = outcomeOf(found)
    if (outcome === 'answered') return found['answer']
    if (outcome !== null) {
      const facts = { question, outcome }
      throw new AgentError('question_closed', `the question is ${outcome}`, { facts })
    }
  }
}

function outcomeOf(found: Readonly<Record<string, unknown>>): string | null {
  const status = textOr(found['status'], 'open')
  return status === 'open' ? null : status
}
