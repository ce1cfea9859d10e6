// What the agent is at, told apart by word, shape and colour: nobody has to guess whether silence is thought or death.
import type { SessionHandle } from 'heldline/react'
import { useEffect, useState } from 'react'

type AgentState = Agent['state']

type Agent = SessionHandle['agent']

const WORDS: Readonly<Record<AgentState, string>> = {
  idle: 'Agent at rest',
  thinking: 'Thinking',
  streaming: 'Writing',
  waiting: 'Waiting for you',
  stalled: 'No sign of life',
  lost: 'Agent lost',
}

const MEANS: Readonly<Record<AgentState, string>> = {
  idle: 'Nothing is asked of it.',
  thinking: 'It lives, and works on it.',
  streaming: 'Words are coming.',
  waiting: 'It asked something, and goes on with the answer.',
  stalled: 'Its heartbeats have stopped. It may come back.',
  lost: 'It is gone. The next process takes over; you can write meanwhile.',
}

interface PillProps {
  readonly agent: Agent
  /** We hear of it: else this is what it was. */
  readonly known: boolean
}

export function HealthPill({ agent, known }: PillProps) {
  return (
    <p className="pill health" data-state={agent.state} data-known={known}>
      <span className="lamp" aria-hidden="true" />
      {WORDS[agent.state]}
      {!known && agent.state !== 'idle' && ', when last heard'}
    </p>
  )
}

export function HealthCard({
  agent,
  known,
  controlled,
}: PillProps & {
  readonly controlled: boolean
}) {
  // Of what nobody hears any more, nobody knows how long it has been so.
  const seconds = useSeconds(agent.since, known && agent.state !== 'idle')
  const heard = controlled ? 'A person speaks in its place.' : MEANS[agent.state]
  const meaning = known ? heard : 'So it was when it was last heard of.'
  return (
    <section
      className="card health"
      data-state={agent.state}
      data-known={known}
      aria-label="The agent"
    >
      <h2>
        <span className="lamp" aria-hidden="true" />
        {WORDS[agent.state]}
        {seconds !== null && <time>{seconds} s</time>}
      </h2>
      <p className="quiet">{meaning}</p>
    </section>
  )
}

/** How long it has been so, to the second. */
function useSeconds(since: number | null, runs: boolean): number | null {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    if (!runs) return
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [runs])
  if (since === null || !runs) return null
  return Math.max(0, Math.round((now - since) / 1000))
}
