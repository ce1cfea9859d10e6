import { HeldlineProvider } from 'heldline/react'
import { useCallback, useEffect, useRef, useState } from 'react'
import { Chat } from './chat.tsx'
import { addressOf, join, readAddress, type Room, type Wish } from './join.ts'
import { remember, remembered } from './remembered.ts'
import { Welcome } from './welcome.tsx'

/** The door, and the room behind it. */
export function App() {
  const [room, setRoom] = useState<Room | null>(null)
  const [failed, setFailed] = useState<string | null>(null)
  const entries = useRef(0)
  const enter = useCallback((wish: Wish) => {
    setFailed(null)
    const entry = ++entries.current
    const entering = async (): Promise<void> => {
      const entered = await join(wish)
      // Who knocks twice, as an effect does in strict mode, comes in once: a room that is taken away would take the answer under way with it.
      if (entry !== entries.current) return entered.client.close()
      remember(wish.name)
      history.replaceState(null, '', addressOf(entered.session, entered.role))
      setRoom(entered)
    }
    entering().catch((error: unknown) => {
      if (entry === entries.current) setFailed(String(error))
    })
  }, [])
  // A reload comes back to where one was.
  useEffect(() => {
    const name = remembered()
    const address = readAddress(location.hash)
    if (name !== null && address.session !== undefined) enter({ ...address, name })
  }, [enter])
  // An address of another session, put into this tab, leads there.
  useEffect(() => {
    const go = (): void => location.reload()
    addEventListener('hashchange', go)
    return () => removeEventListener('hashchange', go)
  }, [])
  useEffect(() => () => room?.client.close(), [room])
  if (room === null)
    return <Welcome address={readAddress(location.hash)} failed={failed} onEnter={enter} />
  const leave = (): void => {
    remember(null)
    setRoom(null)
  }
  return (
    <HeldlineProvider client={room.client}>
      <Chat room={room} onLeave={leave} />
    </HeldlineProvider>
  )
}
