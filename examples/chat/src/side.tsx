import { BreakIt } from './break-it.tsx'
import { HealthCard } from './health.tsx'
import { Floor, Queue } from './panel.tsx'
import { Share } from './share.tsx'
import type { RoomView } from './use-room.ts'

interface Props {
  readonly view: RoomView
  readonly open: boolean
  readonly onClose: () => void
  readonly onAway: () => void
  readonly onLeave: () => void
}

/** What goes on beside the words. On a phone it is a drawer. */
export function Side({ view, open, onClose, onAway, onLeave }: Props) {
  const { room, session, attempt } = view
  const { controller } = session
  const textOfMessage = (id: string | null): string => {
    const said = session.session().messages.find((message) => message.id === id)
    return said?.parts.map(({ text = '' }) => text).join('') ?? ''
  }
  return (
    <aside
      className="panel"
      id="panel"
      data-open={open}
      aria-label="What goes on"
      onKeyDown={({ key }) => {
        if (key === 'Escape') onClose()
      }}
    >
      <HealthCard agent={session.agent} known={view.known} controlled={controller !== null} />
      <Floor
        controller={controller}
        subject={room.subject}
        supervisor={view.supervisor}
        onTake={() =>
          void attempt('You have not taken over', () =>
            session.session().takeControl({ force: true }),
          )
        }
        onRelease={() =>
          void attempt('You have not handed back', () => session.session().releaseControl())
        }
      />
      <Queue
        inputs={session.inputs}
        textOf={textOfMessage}
        onCancel={(input) => void attempt('It was not taken back', () => session.cancel({ input }))}
      />
      <Share room={room} />
      <BreakIt network={room.network} client={room.client} session={room.session} />
      <button type="button" className="only-narrow" onClick={onAway}>
        Go away
      </button>
      <button type="button" onClick={onLeave}>
        Leave
      </button>
    </aside>
  )
}
