import { useMemo, useRef, useState } from 'react'
import { useStickToBottom } from 'use-stick-to-bottom'
import { announce } from './announce.ts'
import { Away } from './away.tsx'
import { Composer, type Way } from './composer.tsx'
import { Conversation } from './conversation.tsx'
import type { Room } from './join.ts'
import { Scroller } from './scroller.tsx'
import { Side } from './side.tsx'
import { TopBar } from './top-bar.tsx'
import { useRoom } from './use-room.ts'

interface Props {
  readonly room: Room
  readonly onLeave: () => void
}

/** Here, or away for a while. */
export function Chat({ room, onLeave }: Props) {
  const [away, setAway] = useState(false)
  if (away) return <Away subject={room.subject} name={room.name} onReturn={() => setAway(false)} />
  return <Talk room={room} onAway={() => setAway(true)} onLeave={onLeave} />
}

function Talk({ room, onAway, onLeave }: Props & { readonly onAway: () => void }) {
  const view = useRoom(room)
  const { session, attempt } = view
  // The end is kept in view while it grows, unless one has scrolled up to read.
  const end = useStickToBottom({ initial: 'instant', resize: 'instant' })
  const [open, setOpen] = useState(false)
  const toggle = useRef<HTMLButtonElement>(null)
  const closePanel = (): void => {
    setOpen(false)
    toggle.current?.focus()
  }
  const { stopScroll } = end
  const actions = useMemo(
    () => ({
      ...view.actions,
      select: (message: string): void => {
        // The arrows that were pressed stay under the finger, however long the other version is.
        stopScroll()
        view.actions.select(message)
      },
    }),
    [view.actions, stopScroll],
  )
  const goToEnd = (): void => {
    // Not to the field for the next message: on a phone its keyboard would hide what comes.
    end.scrollRef.current?.focus()
    void end.scrollToBottom()
  }
  const send = (text: string, way: Way): Promise<boolean> | null => {
    // What one says oneself, one wants to see.
    void end.scrollToBottom()
    return view.send(text, way)
  }
  return (
    <div className="room">
      <TopBar
        view={view}
        open={open}
        toggle={toggle}
        onToggle={() => setOpen(!open)}
        onAway={onAway}
      />
      <main className="talk">
        <Scroller end={end} asked={session.questions.some(({ status }) => status === 'open')}>
          <Conversation
            view={view}
            actions={actions}
            onAsk={(text) => void send(text, 'ask')}
            onAnswered={goToEnd}
          />
        </Scroller>
        <Composer
          running={view.running}
          controlling={view.controlling}
          over={view.over !== null}
          onSend={send}
          onStop={() => attempt('It was not stopped', () => session.cancel())}
        />
      </main>
      <Side view={view} open={open} onClose={closePanel} onAway={onAway} onLeave={onLeave} />
      <p className="unseen" role="status">
        {announce(session)}
      </p>
    </div>
  )
}
