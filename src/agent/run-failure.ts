import { AgentError } from './agent-error.ts'

const MAX_MESSAGE = 2000
const MAX_CODE = 64

/** What people are told of an error that ended a run. */
export function failureOf(error: unknown): { readonly message: string; readonly code?: string } {
  const code = error instanceof AgentError ? { code: error.code.slice(0, MAX_CODE) } : {}
  return { message: wordsOf(error).toWellFormed().slice(0, MAX_MESSAGE), ...code }
}

/** Whatever is thrown, and whatever its message is: a run that nobody could end would be lost, and taken over for nothing. */
export function wordsOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error) || 'failed'
  } catch {
    return 'failed'
  }
}
