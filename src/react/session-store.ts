import type { ClientError } from '../client/client-error.ts'
import type { Session } from '../client/session.ts'
import type { PresenceRequest } from '../protocol/frames-up.ts'
import { actionsOf, branchVerbs, type ActionPorts } from './actions.ts'
import type { ClientHolder } from './client-holder.ts'
import { Shown, type SessionHandle } from './session-data.ts'

/**
 * A session as an external store: what is shown changes only when its listeners are told, at most once a frame, so that all components of a render see the same.
 * The first listener attaches; the last one gone, it is detached after a while, and never cancels anything.
 */
export class SessionStore {
  readonly #id: string
  readonly #holder: ClientHolder
  readonly #listeners = new Set<() => void>()
  readonly #shown: Shown
  readonly #actions: ReturnType<typeof actionsOf>
  /** What is rendered before anything is there. */
  readonly initial: SessionHandle
  #handle: SessionHandle
  #session: Session | null = null
  #unlisten: (() => void)[] = []
  #linger: ReturnType<typeof setTimeout> | undefined
  #wish: PresenceRequest | undefined
  #selected: string | null = null
  #error: ClientError | null = null

  constructor(id: string, holder: ClientHolder) {
    this.#id = id
    this.#holder = holder
    const ports: ActionPorts = {
      session: () => this.#session ?? holder.client().session(id),
      data: () => this.#shown.data,
      select: (selected) => {
        this.#selected = selected
        this.#refresh()
      },
    }
    this.#shown = new Shown(branchVerbs(ports))
    this.#actions = actionsOf(ports)
    this.initial = this.#handle = { ...this.#shown.data, ...this.#actions }
  }

  /** Bound. */
  readonly getSnapshot = (): SessionHandle => this.#handle

  /** Bound. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    clearTimeout(this.#linger)
    if (this.#session === null) this.#attach()
    // While nobody listened, nobody was told.
    else if (this.#listeners.size === 1) this.#refresh()
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      clearTimeout(this.#linger)
      this.#linger = setTimeout(() => this.leave(), this.#holder.lingerMs)
    }
  }

  /** How this tab is seen, whenever the session is attached. */
  present(wish: PresenceRequest): void {
    this.#wish = wish
    // A session keeps what it is not told of; here, what is not said is not wished any more.
    void this.#session?.presence({ status: undefined, data: undefined, ...wish })
  }

  /** Detaches. What was seen last stays with whoever has this, and with the client's session. */
  leave(): void {
    clearTimeout(this.#linger)
    for (const stop of this.#unlisten.splice(0)) stop()
    this.#session?.detach()
    this.#session = null
  }

  #attach(): void {
    const client = this.#holder.client()
    const session = client.session(this.#id)
    const refresh = (): void => this.#refresh()
    this.#session = session
    try {
      this.#unlisten = [
        client.on('state', refresh),
        session.on('error', (error) => {
          this.#error = error
        }),
        session.subscribe(refresh),
      ]
    } catch {
      // That somebody closed the client shows in the connection.
    }
    if (this.#wish !== undefined) this.present(this.#wish)
    this.#refresh()
  }

  #refresh(): void {
    const snapshot = this.#session?.getSnapshot()
    if (snapshot === undefined) return
    const error = snapshot.state === 'failed' ? this.#error : null
    const connection = this.#holder.connection()
    if (!this.#shown.take({ snapshot, connection, error, selected: this.#selected })) return
    this.#handle = { ...this.#shown.data, ...this.#actions }
    for (const listener of this.#listeners) listener()
  }
}
