import type { SessionHandle } from 'heldline/react'

/** Why nothing more can be said here, for people; `null`: it can. */
export function overBecause({ status, error, closedAt, connection }: SessionHandle): string | null {
  if (status === 'failed') {
    return error?.code === 'session_not_found'
      ? 'This conversation is not there any more. What is shown is what it was.'
      : `This conversation cannot be followed any more: ${error?.message ?? 'nobody knows why'}.`
  }
  if (closedAt !== null) return 'This conversation is closed: it can be read, and nothing said.'
  if (connection === 'unauthorized')
    return 'You are not let in any more. What is shown is what it was.'
  return null
}
