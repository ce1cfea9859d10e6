import type { Client } from '../client/client.ts'
import type { LinkState } from '../client/link-state.ts'
import { SessionStore } from './session-store.ts'

/** Whoever leaves often comes back: in another view, or in the second mount of a strict mode. */
export const LINGER_MS = 5000

/**
 * A client for components: made when the first effect needs it, so that a render that is thrown away, or one on a server, leaves nothing behind; and one
 * store an id, so that ten components hold one attachment.
 */
export class ClientHolder {
  readonly lingerMs: number
  readonly #make: () => Client
  readonly #own: boolean
  /** For as long as a component has it, or it is attached: a page may see, and a server render, any number of sessions. */
  readonly #stores = new Map<string, WeakRef<SessionStore>>()
  #client: Client | null = null
  #holds = 0
  #linger: ReturnType<typeof setTimeout> | undefined

  /** @param own whether the client is closed when nobody holds it any more */
  constructor(make: () => Client, own: boolean, lingerMs: number) {
    this.#make = make
    this.#own = own
    this.lingerMs = lingerMs
  }

  client(): Client {
    return (this.#client ??= this.#make())
  }

  /** Bound. */
  readonly connection = (): LinkState => this.#client?.state ?? 'idle'

  /** Bound. */
  readonly onConnection = (listener: () => void): (() => void) =>
    this.client().on('state', listener)

  store(id: string): SessionStore {
    const known = this.#stores.get(id)?.deref()
    if (known !== undefined) return known
    const store = new SessionStore(id, this)
    this.#stores.set(id, new WeakRef(store))
    return store
  }

  /** @returns what lets go of it */
  hold(): () => void {
    this.#holds += 1
    clearTimeout(this.#linger)
    return () => {
      if (--this.#holds === 0 && this.#own)
        this.#linger = setTimeout(() => this.#close(), this.lingerMs)
    }
  }

  #close(): void {
    for (const store of this.#stores.values()) store.deref()?.leave()
    this.#client?.close()
    this.#client = null
  }
}

const HOLDERS = new WeakMap<Client, ClientHolder>()

/** The holder of a client that is somebody else's: the same for the same client, wherever it is provided. */
export function holderOf(client: Client, lingerMs: number): ClientHolder {
  const holder = HOLDERS.get(client) ?? new ClientHolder(() => client, false, lingerMs)
  HOLDERS.set(client, holder)
  return holder
}
