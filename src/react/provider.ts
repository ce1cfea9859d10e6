'use client'
import {
  createContext,
  createElement,
  useContext,
  useEffect,
  useState,
  type ReactNode,
} from 'react'
import type { Client } from '../client/client.ts'
import { createClient, type ClientOptions } from '../client/create-client.ts'
import { ClientHolder, holderOf, LINGER_MS } from './client-holder.ts'

interface Common {
  readonly children?: ReactNode
  /** How long a session stays attached after its last component is gone, in milliseconds. Default 5,000. Read once. */
  readonly lingerMs?: number
}

/** A client, which stays whoever's it is; or what one is made of, once: another `url` takes another `key`. */
export type HeldlineProviderProps = Common &
  ({ readonly client: Client } | ({ readonly client?: undefined } & ClientOptions))

const Context = createContext<ClientHolder | null>(null)

/** Gives the components below it one client, and so one connection. One that it made it closes, after it is gone. */
export function HeldlineProvider(props: HeldlineProviderProps): ReactNode {
  const { children, lingerMs = LINGER_MS } = props
  const [own] = useState(() =>
    props.client === undefined ? new ClientHolder(() => createClient(props), true, lingerMs) : null,
  )
  const holder = props.client === undefined ? own : holderOf(props.client, lingerMs)
  useEffect(() => holder?.hold(), [holder])
  return createElement(Context.Provider, { value: holder }, children)
}

/** @throws Error outside of a provider */
export function useHolder(): ClientHolder {
  const holder = useContext(Context)
  if (!holder) throw new Error('no <HeldlineProvider> above')
  return holder
}
