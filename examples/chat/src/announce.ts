import type { SessionHandle } from 'heldline/react'
import { overBecause } from './over.ts'

/** What a screen reader is told of the agent: that it begins, asks, is done or is gone; not every word. */
export function announce(session: SessionHandle): string {
  const { agent, questions, connection } = session
  // It is an alert by itself.
  if (overBecause(session) !== null) return ''
  if (connection === 'recovering' || connection === 'offline')
    return 'The connection is lost. It comes back by itself.'
  const open = questions.find(({ status }) => status === 'open')
  if (open !== undefined) return `The agent asks: ${open.prompt}`
  return SAID[agent.state]
}

const SAID = {
  idle: 'The agent is at rest.',
  thinking: 'The agent is thinking.',
  streaming: 'The agent is writing its answer.',
  waiting: 'The agent waits for a person.',
  stalled: 'The agent gives no sign of life.',
  lost: 'The agent is lost. Another one takes over.',
} as const
