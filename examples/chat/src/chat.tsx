import { useChat } from '@ai-sdk/react'
import { useObserver } from 'heldline/ai-sdk/react'
import { useSession, type SessionHandle } from 'heldline/react'
import { useRef, useState } from 'react'
import { useStickToBottom } from 'use-stick-to-bottom'
import { announce } from './announce.ts'
import { Away } from './away.tsx'
import { BreakIt } from './break-it.tsx'
import { Composer, type Way } from './composer.tsx'
import { Empty } from './empty.tsx'
import { HealthCard, HealthPill } from './health.tsx'
import { Logo, Panel } from './icons.tsx'
import type { Room } from './join.ts'
import { MessageRow } from './message.tsx'
import { overBecause } from './over.ts'
import { Floor, Queue } from './panel.tsx'
import { Faces } from './people.tsx'
import { QuestionCard } from './question.tsx'
import { Scroller } from './scroller.tsx'
import { Share } from './share.tsx'
import { Unsent } from './unsent.tsx'
import { useActions, useReadMarker, useTold, useUnsent } from './use-talk.ts'
import { useTrouble } from './use-trouble.ts'

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

/** Where it comes too late there is nothing to stop, but still something to say. */
async function interrupt(session: SessionHandle, text: string): Promise<void> {
  const { outcome } = await session.interrupt(text)
  if (outcome === 'too_late') void session.send(text)
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
  // The end is kept in view while it grows, unless one has scrolled up to read.
  const end = useStickToBottom({ initial: 'instant', resize: 'instant' })
  const [open, setOpen] = useState(false)
  const toggle = useRef<HTMLButtonElement>(null)
  const closePanel = (): void => {
    setOpen(false)
    toggle.current?.focus()
  }
  useReadMarker(room, session)

  const unsent = useUnsent(session, chat.messages)
  const { said, attempt } = useTrouble()
  const over = overBecause(session)
  const known = connection === 'live' && over === null
  // One answer at a time is asked for here: what is said while it is waited for waits, too.
  const asking = chat.status === 'submitted' || chat.status === 'streaming'

  /** What is not kept until it has arrived says whether it did; what is, shows it. */
  const send = (text: string, way: Way): Promise<boolean> | null => {
    // What one says oneself, one wants to see.
    void end.scrollToBottom()
    if (!controlling && way === 'interrupt')
      return attempt('It was not interrupted', () => interrupt(session, text))
    if (controlling) void session.session().send(text, { role: 'assistant' })
    else if (way === 'steer') void session.steer(text)
    else if (way === 'ask' && !asking) void chat.sendMessage({ text })
    else void session.send(text)
    return null
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
        <HealthPill agent={agent} known={known} />
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
          onClick={() => setOpen(!open)}
        >
          <Panel />
        </button>
      </header>
      <main className="talk">
        <Scroller end={end} asked={session.questions.some(({ status }) => status === 'open')}>
          {chat.messages.length === 0 && <Empty onAsk={(text) => void send(text, 'ask')} />}
          <ol className="messages" aria-label="The conversation">
            {chat.messages.map((message) => {
              const one = told.get(message.id)
              return (
                <MessageRow
                  key={message.id}
                  message={message}
                  told={one}
                  mine={message.role === 'user' && (one === undefined || one.by === room.subject)}
                  mayChange={!running && !asking && controller === null && over === null}
                  actions={actions}
                />
              )
            })}
          </ol>
          <Unsent
            messages={unsent}
            onRetry={(id) => session.session().retry(id)}
            onDiscard={(id) => void session.session().discard(id)}
          />
          {session.questions.map((question) => (
            <QuestionCard
              key={question.id}
              question={question}
              mayAnswer={known}
              onAnswer={(id, answer) =>
                void attempt('It was not answered', () => session.answer(id, answer))
              }
            />
          ))}
          {[over, said, chat.error?.message ?? null].map(
            (wrong, at) =>
              wrong !== null && (
                <p key={at} role="alert" className="refused bad">
                  {wrong}
                </p>
              ),
          )}
        </Scroller>
        <Composer
          running={running}
          controlling={controlling}
          over={over !== null}
          onSend={send}
          onStop={() => attempt('It was not stopped', () => session.cancel())}
        />
      </main>
      <aside
        className="panel"
        id="panel"
        data-open={open}
        aria-label="What goes on"
        onKeyDown={({ key }) => {
          if (key === 'Escape') closePanel()
        }}
      >
        <HealthCard agent={agent} known={known} controlled={controller !== null} />
        <Floor
          controller={controller}
          subject={room.subject}
          supervisor={supervisor}
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
          onCancel={(input) =>
            void attempt('It was not taken back', () => session.cancel({ input }))
          }
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
