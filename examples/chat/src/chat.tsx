import { useChat } from '@ai-sdk/react'
import { useObserver } from 'heldline/ai-sdk/react'
import { useSession } from 'heldline/react'
import { useState } from 'react'
import { announce } from './announce.ts'
import { Away } from './away.tsx'
import { BreakIt } from './break-it.tsx'
import { Composer, type Way } from './composer.tsx'
import { Empty } from './empty.tsx'
import { HealthCard, HealthPill } from './health.tsx'
import { Logo, Panel } from './icons.tsx'
import type { Room } from './join.ts'
import { MessageRow } from './message.tsx'
import { Floor, Queue } from './panel.tsx'
import { Faces } from './people.tsx'
import { QuestionCard } from './question.tsx'
import { Share } from './share.tsx'
import { useStickToEnd } from './stick-to-end.ts'
import { useActions, useReadMarker, useTold } from './use-talk.ts'

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

const LINES: Readonly<Record<string, string>> = {
  idle: 'Not connected',
  connecting: 'Connecting…',
  live: 'Connected',
  recovering: 'Reconnecting…',
  offline: 'No network',
  unauthorized: 'Not let in',
  closed: 'Closed',
}

function Talk({ room, onAway, onLeave }: Props & { readonly onAway: () => void }) {
  const supervisor = room.role === 'supervisor'
  // A supervisor comes in unseen.
  const session = useSession(room.session, { presence: !supervisor })
  const chat = useChat({
    id: room.session,
    transport: room.transport,
    messages: room.messages,
    resume: true,
  })
  useObserver({ chat, transport: room.transport, branch: session.branch.selected })
  const { agent, controller, connection } = session
  const controlling = controller?.subject === room.subject
  const running = session.activeRuns.length > 0
  const told = useTold(session)
  const actions = useActions(chat, session)
  const box = useStickToEnd<HTMLDivElement>(chat.messages)
  const [open, setOpen] = useState(false)
  useReadMarker(room, session)

  const send = (text: string, way: Way): void => {
    if (controlling) void session.session().send(text, { role: 'assistant' })
    else if (way === 'ask') void chat.sendMessage({ text })
    else if (way === 'interrupt') void session.interrupt(text)
    else if (way === 'steer') void session.steer(text)
    else void session.send(text)
  }
  const textOfMessage = (id: string | null): string => {
    const said = session.session().messages.find((message) => message.id === id)
    return said?.parts.map(({ text = '' }) => text).join('') ?? ''
  }
  return (
    <div className="room">
      <header>
        <Logo />
        <h1>
          Ferry desk
          <small>
            {room.model === 'scripted' ? 'a scripted agent, no key needed' : room.model}
          </small>
        </h1>
        <p className="pill line" data-state={connection}>
          {LINES[connection]}
        </p>
        <HealthPill agent={agent} known={connection === 'live'} />
        <Faces members={session.presence} />
        <button type="button" className="away-button" onClick={onAway}>
          Go away
        </button>
        <button
          type="button"
          className="only-narrow small"
          aria-expanded={open}
          aria-controls="panel"
          aria-label="What goes on"
          onClick={() => setOpen(!open)}
        >
          <Panel />
        </button>
      </header>
      <main className="talk">
        <div className="scroll" ref={box}>
          {chat.messages.length === 0 && <Empty onAsk={(text) => send(text, 'ask')} />}
          <ol className="messages" aria-label="The conversation">
            {chat.messages.map((message) => {
              const one = told.get(message.id)
              return (
                <MessageRow
                  key={message.id}
                  message={message}
                  told={one}
                  mine={message.role === 'user' && (one === undefined || one.by === room.subject)}
                  mayChange={!running && controller === null}
                  actions={actions}
                />
              )
            })}
          </ol>
          {session.questions.map((question) => (
            <QuestionCard
              key={question.id}
              question={question}
              mayAnswer={connection === 'live'}
              onAnswer={(id, answer) => void session.answer(id, answer)}
            />
          ))}
          {chat.error !== undefined && (
            <p role="alert" className="refused bad">
              {chat.error.message}
            </p>
          )}
        </div>
        <Composer
          running={running}
          controlling={controlling}
          onSend={send}
          onStop={() => void session.cancel()}
          onTyping={() => session.session().signal('typing')}
        />
      </main>
      <aside className="panel" id="panel" data-open={open} aria-label="What goes on">
        <HealthCard agent={agent} controlled={controller !== null} />
        <Floor
          controller={controller}
          subject={room.subject}
          supervisor={supervisor}
          onTake={() => void session.session().takeControl({ force: true })}
          onRelease={() => void session.session().releaseControl()}
        />
        <Queue
          inputs={session.inputs}
          textOf={textOfMessage}
          onCancel={(input) => void session.cancel({ input })}
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
      <p className="unseen" role="status">
        {announce(session)}
      </p>
    </div>
  )
}
