import type { RefObject } from 'react'
import { HealthPill } from './health.tsx'
import { Logo, Panel } from './icons.tsx'
import { Faces } from './people.tsx'
import type { RoomView } from './use-room.ts'

const LINES: Readonly<Record<string, string>> = {
  idle: 'Not connected',
  connecting: 'Connecting…',
  live: 'Connected',
  recovering: 'Reconnecting…',
  offline: 'No network',
  unauthorized: 'Not let in',
  closed: 'Closed',
}

interface Props {
  readonly view: RoomView
  /** Whether the panel is open, where it is a drawer. */
  readonly open: boolean
  readonly toggle: RefObject<HTMLButtonElement | null>
  readonly onToggle: () => void
  readonly onAway: () => void
}

/** Where one is, whether the line is up, what the agent is at, and who is there. */
export function TopBar({ view, open, toggle, onToggle, onAway }: Props) {
  const { room, session, known } = view
  return (
    <header>
      <Logo />
      <h1>
        Ferry desk
        <small>{room.model === 'scripted' ? 'a scripted agent, no key needed' : room.model}</small>
      </h1>
      <p className="pill line" data-state={session.connection}>
        {LINES[session.connection]}
      </p>
      <HealthPill agent={session.agent} known={known} />
      <Faces members={session.presence} />
      <button type="button" className="away-button" onClick={onAway}>
        Go away
      </button>
      <button
        ref={toggle}
        type="button"
        className="only-narrow small"
        aria-expanded={open}
        aria-controls="panel"
        aria-label="What goes on"
        onClick={onToggle}
      >
        <Panel />
      </button>
    </header>
  )
}
