// What a window of the chat knows, and what can be done in it: the AI SDK's chat and the session, as one.
import { useChat } from '@ai-sdk/react'
import { useObserver } from 'heldline/ai-sdk/react'
import { useSession, type SessionHandle } from 'heldline/react'
import type { Way } from './composer.tsx'
import type { Room } from './join.ts'
import { overBecause } from './over.ts'
import { useActions, useReadMarker, useTold, useUnsent } from './use-talk.ts'
import { useTrouble } from './use-trouble.ts'

export type RoomView = ReturnType<typeof useRoom>

export function useRoom(room: Room) {
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
  useReadMarker(room, session)
  const told = useTold(session)
  const actions = useActions(chat, session)
  const unsent = useUnsent(session, chat.messages)
  const { said, attempt } = useTrouble()
  const over = overBecause(session)
  const running = session.activeRuns.length > 0
  const controlling = session.controller?.subject === room.subject
  // One answer at a time is asked for here: what is said while it is waited for waits, too.
  const asking = chat.status === 'submitted' || chat.status === 'streaming'

  /** What is not kept until it has arrived says whether it did; what is, shows it. */
  const send = (text: string, way: Way): Promise<boolean> | null => {
    if (!controlling && way === 'interrupt')
      return attempt('It was not interrupted', () => interrupt(session, text))
    if (controlling) void session.session().send(text, { role: 'assistant' })
    else if (way === 'steer') void session.steer(text)
    else if (way === 'ask' && !asking) void chat.sendMessage({ text })
    else void session.send(text)
    return null
  }
  return {
    room,
    session,
    messages: chat.messages,
    told,
    unsent,
    actions,
    supervisor,
    controlling,
    running,
    /** Why nothing more can be said here. */
    over,
    /** What is shown of the agent is how it is, and not how it was. */
    known: session.connection === 'live' && over === null,
    mayChange: !running && !asking && session.controller === null && over === null,
    troubles: new Set([over, said, chat.error?.message ?? null].filter((wrong) => wrong !== null)),
    send,
    attempt,
  }
}

/** Where it comes too late there is nothing to stop, but still something to say. */
async function interrupt(session: SessionHandle, text: string): Promise<void> {
  const { outcome } = await session.interrupt(text)
  if (outcome === 'too_late') void session.send(text)
}
