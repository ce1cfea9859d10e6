import { AgentError } from './agent-error.ts'

const MAX_MESSAGE = 2000
const MAX_CODE = 64

/** What people are told of an error that ended a run. */
export function failureOf(error: unknown): { readonly message: string; readonly code?: string } {
  const message = (error instanceof Error ? error.message : String(error)).toWellFormed()
  const code = error instanceof AgentError ? { code: error.code.slice(0, MAX_CODE) } : {}
  return { message: message.slice(0, MAX_MESSAGE) || 'failed', ...code }
}
