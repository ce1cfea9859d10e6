'use client'
import { useEffect, useSyncExternalStore } from 'react'
import type { LinkState } from '../client/link-state.ts'
import type { PresenceRequest } from '../protocol/frames-up.ts'
import { useHolder } from './provider.ts'
import type { SessionData, SessionHandle } from './session-data.ts'
import type { SessionStore } from './session-store.ts'

export interface UseSessionOptions {
  /**
   * To be seen by others, until the session is left for good; `true`: as this tab, with nothing more to say. What changes of it is told, but that nobody
   * wishes it any more is not: the client's session keeps it.
   */
  readonly presence?: boolean | PresenceRequest
}

/**
 * A session, alive: the first component that uses it attaches, all of them share that, and the last one that goes detaches after a while. It never cancels.
 * A component renders at most once a frame, whatever arrives, and not at all where nothing of it changed.
 * @throws Error outside of a `HeldlineProvider`
 */
export function useSession(
  id: string,
  { presence = false }: UseSessionOptions = {},
): SessionHandle {
  const store = useStore(id)
  const wish = presence === false ? null : JSON.stringify(presence === true ? {} : presence)
  useEffect(() => {
    // Our own text of a line above.
    if (wish !== null) store.present(JSON.parse(wish) as PresenceRequest)
  }, [store, wish])
  return useSyncExternalStore(store.subscribe, store.getSnapshot, () => store.initial)
}

/** The messages alone: who uses it does not render for anything else. Throws as `useSession` does. */
export function useMessages(id: string): SessionData['messages'] {
  return useField(id, 'messages')
}

/** Who is there: who uses it does not render for what is written. Throws as `useSession` does. */
export function usePresence(id: string): SessionData['presence'] {
  return useField(id, 'presence')
}

/** The state of the one connection: a recovery of less than 2 s is not told. Throws as `useSession` does. */
export function useConnection(): LinkState {
  const holder = useHolder()
  return useSyncExternalStore(holder.onConnection, holder.connection, () => 'idle')
}

function useField<K extends keyof SessionData>(id: string, name: K): SessionData[K] {
  const store = useStore(id)
  return useSyncExternalStore(
    store.subscribe,
    () => store.getSnapshot()[name],
    () => store.initial[name],
  )
}

function useStore(id: string): SessionStore {
  return useHolder().store(id)
}
