import type { core } from 'zod/mini'
import { HeldlineError } from '../protocol/errors.ts'

/** The first thing that a schema found wrong, as a refusal that names the field. The caller's values are never repeated. */
export function describeIssue(issue: core.$ZodIssue | undefined): HeldlineError {
  const field = (issue?.path ?? []).map(String).join('.') || 'the body'
  if (issue?.code === 'unrecognized_keys') {
    const keys = issue.keys.map((key) => key.slice(0, 64)).join(', ')
    const where = issue.path.length === 0 ? '' : ` in ${field}`
    return new HeldlineError('unknown_field', `unable to take the body; not known${where}: ${keys}`)
  }
  return new HeldlineError(
    'invalid_request',
    `unable to take the body; ${field} ${complaint(issue)}`,
  )
}

function complaint(issue: core.$ZodIssue | undefined): string {
  if (issue?.code === 'invalid_type') return `must be ${article(issue.expected)}`
  if (issue?.code === 'too_small') return `must be at least ${issue.minimum}${unit(issue.origin)}`
  if (issue?.code === 'too_big') return `must be at most ${issue.maximum}${unit(issue.origin)}`
  if (issue?.code === 'invalid_value')
    return `must be one of ${issue.values.map(String).join(', ')}`
  return issue?.code === 'invalid_format' ? 'does not have the form' : 'is not acceptable'
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters long'
  return origin === 'array' ? ' entries long' : ''
}

function article(expected: string): string {
  if (expected === 'int') return 'a whole number'
  if (expected === 'record') return 'an object'
  return /^[aeiou]/.test(expected) ? `an ${expected}` : `a ${expected}`
}
