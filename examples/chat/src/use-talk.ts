// What ties the AI SDK's chat and the session together, where the one does not know of the other.
import type { UseChatHelpers } from '@ai-sdk/react'
import type { UIMessage } from 'ai'
import type { SessionHandle } from 'heldline/react'
import { useEffect, useMemo, useRef } from 'react'
import type { Room } from './join.ts'
import type { MessageActions, Told } from './message.tsx'

/** What the session knows of each message: how it ended, who wrote it, which versions there are. */
export function useTold({ messages, branch }: SessionHandle): ReadonlyMap<string, Told> {
  const before = useRef(new Map<string, Told>())
  return useMemo(() => {
    const told = new Map<string, Told>()
    for (const { id, status, by, run, role, pending, failed } of messages) {
      const one: Told = {
        status: failed !== undefined ? 'refused' : pending === true ? 'pending' : status,
        by,
        byPerson: role === 'assistant' && run === undefined,
        siblings: branch.siblings(id),
      }
      // The same object while nothing of it changed, so that a row is drawn anew only for a reason.
      const was = before.current.get(id)
      told.set(id, was !== undefined && isSame(was, one) ? was : one)
    }
    before.current = told
    return told
  }, [messages, branch])
}

/** What was said here, is not in the log yet, and the chat does not show by itself. */
export function useUnsent(
  { messages }: SessionHandle,
  shown: readonly UIMessage[],
): SessionHandle['messages'] {
  return useMemo(() => {
    const ids = new Set(shown.map(({ id }) => id))
    return messages.filter(({ id, pending }) => pending === true && !ids.has(id))
  }, [messages, shown])
}

function isSame(a: Told, b: Told): boolean {
  return a.status === b.status && a.by === b.by && a.siblings.join() === b.siblings.join()
}

/** The same functions for as long as the chat is. */
export function useActions(
  chat: UseChatHelpers<UIMessage>,
  session: SessionHandle,
): MessageActions {
  const latest = useRef({ chat, session })
  useEffect(() => {
    latest.current = { chat, session }
  })
  const { status } = chat
  const { select: lookAt } = session.branch
  useEffect(() => {
    // What is asked is what one wants to look at; not before the chat has it, which would take what was there for what is.
    if (status === 'submitted') lookAt(null)
  }, [status, lookAt])
  return useMemo(() => {
    const chat = (): UseChatHelpers<UIMessage> => latest.current.chat
    const select = (message: string | null): void => latest.current.session.branch.select(message)
    return {
      edit(messageId, text) {
        void chat().sendMessage({ text, messageId })
      },
      again(messageId) {
        void chat().regenerate({ messageId })
      },
      select,
    }
  }, [])
}

/** Who looks at the page has read what it shows: nothing of that is sent after them. A supervisor reads for nobody. */
export function useReadMarker(room: Room, session: SessionHandle): void {
  const over = session.runs.filter(({ status }) => status === 'finished' || status === 'failed')
  const ended = over.at(-1)?.serial
  useEffect(() => {
    if (room.role === 'supervisor') return
    const read = (): void => {
      if (document.visibilityState === 'visible') void room.client.session(room.session).read()
    }
    read()
    document.addEventListener('visibilitychange', read)
    return () => document.removeEventListener('visibilitychange', read)
  }, [room, ended])
}
