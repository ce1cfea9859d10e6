import type { Client } from 'heldline/client'
import { useCallback, useEffect, useReducer, useState, useSyncExternalStore } from 'react'
import type { Line, Network } from './network.ts'
import { Card } from './panel.tsx'

interface Props {
  readonly network: Network
  readonly client: Client
  readonly session: string
}

/** The drawer that breaks the network and the agent, and says what came of it. */
export function BreakIt({ network, client, session }: Props) {
  const line = useSyncExternalStore(network.subscribe, network.line)
  const [frozen, harm] = useHarm()
  const report = useReport(client, session)
  return (
    <Card title="Break it">
      <div className="breaks">
        <button type="button" onClick={() => network.cut()}>
          Cut the socket
        </button>
        <Toggle
          on={line === 'away'}
          name="No network"
          set={(on) => network.set(lineOf(on, 'away'))}
        />
        <Toggle
          on={line === 'slow'}
          name="Slow line"
          set={(on) => network.set(lineOf(on, 'slow'))}
        />
        <Toggle on={frozen} name="Freeze the agent" set={(on) => harm(on ? 'freeze' : 'thaw')} />
        <button type="button" onClick={() => harm('kill')}>
          Kill the agent
        </button>
        <button type="button" onClick={() => location.reload()}>
          Reload
        </button>
      </div>
      <dl className="report">
        <dt>events taken</dt>
        <dd data-what="events">{report.events}</dd>
        <dt>out of order, doubled, missing</dt>
        <dd data-what="wrong">{report.wrong}</dd>
        <dt>times back</dt>
        <dd data-what="back">{report.back}</dd>
        <dt>serial</dt>
        <dd data-what="serial">{report.serial}</dd>
      </dl>
    </Card>
  )
}

const lineOf = (on: boolean, line: Line): Line => (on ? line : 'fine')

interface ToggleProps {
  readonly on: boolean
  readonly name: string
  readonly set: (on: boolean) => void
}

function Toggle({ on, name, set }: ToggleProps) {
  return (
    <button type="button" aria-pressed={on} onClick={() => set(!on)}>
      {name}
    </button>
  )
}

interface Report {
  readonly events: number
  readonly wrong: number
  readonly back: number
  readonly serial: number
}

type Heard = { readonly serial: number } | 'back' | 'folded'

/** Counts by itself what came over the line, so that nobody has to believe it. */
function useReport(client: Client, id: string): Report {
  const [report, hear] = useReducer(
    (was: Report, heard: Heard): Report => {
      if (heard === 'back') return { ...was, back: was.back + 1 }
      // What came folded has no events of its own to count.
      if (heard === 'folded') return { ...was, serial: 0 }
      const follows = was.serial === 0 || heard.serial === was.serial + 1
      return {
        ...was,
        events: was.events + 1,
        serial: heard.serial,
        wrong: was.wrong + (follows ? 0 : 1),
      }
    },
    { events: 0, wrong: 0, back: 0, serial: 0 },
  )
  useEffect(() => {
    const session = client.session(id)
    const ends = [
      session.on('event', ({ serial }) => hear({ serial })),
      session.on('reset', () => hear('folded')),
      client.on('state', (state) => {
        if (state === 'live') hear('back')
      }),
    ]
    return () => {
      for (const end of ends) end()
    }
  }, [client, id])
  return report
}

type Harm = 'freeze' | 'thaw' | 'kill'

const LOOK_MS = 2000

/** There is one agent for all who are here: whether it is frozen, its keeper knows. */
function useHarm(): readonly [boolean, (harm: Harm) => void] {
  const [frozen, setFrozen] = useState(false)
  const take = useCallback((path: string, init?: RequestInit): void => {
    const told = async (): Promise<void> => {
      const response = await fetch(path, init)
      // Our own backend's answer.
      if (response.ok) setFrozen(((await response.json()) as { frozen: boolean }).frozen)
    }
    // The next look may find what this one does not.
    told().catch(() => undefined)
  }, [])
  useEffect(() => {
    const look = (): void => take('/api/agent')
    look()
    const timer = setInterval(look, LOOK_MS)
    return () => clearInterval(timer)
  }, [take])
  const harm = (agent: Harm): void =>
    take('/api/harm', { method: 'POST', body: JSON.stringify({ agent }) })
  return [frozen, harm]
}
