import type { SessionId } from '../protocol/ids.ts'

/**
 * Sessions of the server itself: their ids begin with `~`, which ID_PATTERN forbids, so that no caller can ever name one. They hold what
 * nodes share beside the logs. A list of sessions leaves them out.
 */
const INTERNAL = /^~[a-z][a-z0-9-]{0,62}$/

/** @throws Error when the text does not have the form: a bug of ours */
export function internalSession(text: string): SessionId {
  if (!INTERNAL.test(text)) throw new Error(`not the id of an internal session: ${text}`)
  // The second birth place of the brand: every part of a store takes these like any other id.
  return text as SessionId
}

export function isInternal(session: string): boolean {
  return session.startsWith('~')
}
