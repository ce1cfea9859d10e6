import type { WireEvent } from '../protocol/event.ts'
import type { Received } from './received.ts'
import type { PresenceRequest } from '../protocol/frames-up.ts'
import { formatPosition } from '../protocol/position.ts'
import { ClientError, clientClosed } from './client-error.ts'
import { CursorStore } from './cursor-store.ts'
import { Emitter } from './emitter.ts'
import { EventStream } from './event-stream.ts'
import { mintId } from '../sdk/mint-id.ts'
import { Notifier } from './notifier.ts'
import { OutboxStore } from './outbox-entry.ts'
import { Outbox } from './outbox.ts'
import { withPending } from './pending.ts'
import type { ReadMarker } from './read-marker.ts'
import { Reader } from './reader.ts'
import type { Connected, SessionHost } from './session-host.ts'
import type {
  Cursor,
  SessionEvents,
  SessionOptions,
  SessionSnapshot,
  SessionState,
} from './session-types.ts'
import type { Verbs } from './verbs.ts'
import { refusal, type Wire } from './wire.ts'

const ANSWER_MS = 10_000

/** One session's inside: its reader, its outbox, and who listens. `Session` is the face of it. */
export class SessionEngine {
  readonly id: string
  readonly emitter = new Emitter<SessionEvents>()
  readonly reader: Reader
  readonly outbox: Outbox
  readonly #host: SessionHost
  readonly #notifier: Notifier
  readonly #cursors: CursorStore
  readonly #cursor: Cursor | undefined
  readonly #streams = new Set<EventStream>()
  #presence: PresenceRequest | undefined
  #state: SessionState = 'idle'
  #snapshot: SessionSnapshot | null = null
  #marker: ReadMarker | null = null
  /** How far the subject has read, of which the marker is not told yet: its code comes later. */
  #read = 0
  #closed = false

  constructor(id: string, options: SessionOptions, host: SessionHost) {
    this.id = id
    this.#host = host
    this.#presence = presenceOf(options.presence)
    this.#cursor = options.cursor
    const { clock, random, page, storages, namespace } = host
    this.#notifier = new Notifier(clock, page, () => this.emitter.emit('change', this.snapshot()))
    this.#cursors = new CursorStore(storages.tab, namespace, id, clock)
    const catchup = options.catchup ?? 'auto'
    const presence = (): PresenceRequest | undefined => this.#wish()
    this.reader = new Reader(
      { session: id, clock, random, catchup, presence },
      {
        event: (event) => this.#taken(event),
        moved: () => this.#moved(),
        reset: (reset) => this.emitter.emit('reset', reset),
        attached: () => {
          this.#ready()
          this.#host.update()
        },
        refused: (error) => this.#refused(error),
      },
    )
    this.outbox = this.#openOutbox(new OutboxStore(storages.local, namespace, id))
  }

  get wanted(): boolean {
    return this.#state === 'attaching' || this.#state === 'live'
  }

  get state(): SessionState {
    return this.#state
  }

  /** The first use, or another try. @throws ClientError `client_closed` */
  attach(): void {
    if (this.#closed) throw clientClosed()
    if (this.wanted) return
    this.#enter('attaching')
    const connected = this.#host.connection()
    if (connected !== null) this.wired(connected)
    this.#host.update()
  }

  detach(): void {
    if (!this.wanted) return
    this.#host.connection()?.wire.ask({ op: 'detach', session: this.id }, ANSWER_MS, () => {})
    this.unwired()
    this.#closeStreams()
    this.#enter('detached')
    this.#host.update()
  }

  /** For good. Who waits for a view is told that none comes; what waits to be sent is kept. */
  close(): void {
    this.#closed = true
    this.unwired()
    this.#closeStreams()
    this.#cursors.flush()
    this.outbox.close()
    this.#marker?.close()
    this.#notifier.cancel()
    if (this.#state === 'attaching') this.#fail(clientClosed())
    this.emitter.clear()
  }

  /** @returns `false`: it is on its way, not there, or kept beyond the end of the client */
  discard(id: string): boolean {
    return !this.#closed && this.outbox.discard(id)
  }

  wired({ wire }: Connected): void {
    this.outbox.pause()
    this.#marker?.pause()
    this.reader.connect(wire)
  }

  unwired(): void {
    this.reader.disconnect()
    this.outbox.pause()
    this.#marker?.pause()
  }

  /** @param current whether it came over the wire that carries now */
  frame(frame: Received, current: boolean): void {
    if (!this.wanted) return
    if (frame.type === 'events') return this.reader.takeEvents(frame, current)
    if (!current) return
    if (frame.type === 'snapshot') this.reader.takeSnapshot(frame)
    else if (frame.type === 'reset') this.reader.takeReset(frame)
    else if (frame.type === 'error') this.reader.takeError(refusal(frame))
    else if (frame.type === 'signal') {
      const { name, by, data } = frame
      this.emitter.emit('signal', { name, by, data })
    }
  }

  events(after: Cursor | undefined): EventStream {
    this.attach()
    const cursor = after ?? this.#cursor
    const from = cursor === 'tab' ? this.#cursors.load() : cursor
    const stream: EventStream = new EventStream(
      {
        session: this.id,
        http: this.#host.http,
        clock: this.#host.clock,
        random: this.#host.random,
        live: () => this.reader.position,
        done: (position) => {
          if (cursor === 'tab') this.#cursors.save(position)
        },
        closed: () => this.#streams.delete(stream),
      },
      from === undefined || from === null ? null : String(from),
    )
    this.#streams.add(stream)
    return stream
  }

  /** @throws ClientError by the promise: `disconnected` where the code could not be loaded; `client_closed` */
  async verbs(): Promise<Verbs> {
    this.attach()
    return (await this.#host.http.code()).verbs(this.id)
  }

  /** Where the code does not come, it is told after the next attach all the same. Throws as `verbs` does, and what the marker does. */
  async mark(serial: number): Promise<void> {
    this.#read = Math.max(this.#read, serial)
    this.attach()
    const code = await this.#host.http.code()
    if (this.#closed) throw clientClosed()
    if (this.#marker === null) {
      this.#marker = code.marker(this.id)
      const wire = this.#wire
      if (wire !== undefined) this.#marker.resume(wire)
    }
    return this.#marker.mark(serial)
  }

  signal(name: string, data: unknown): boolean {
    this.attach()
    return this.#wire?.tell({ op: 'signal', session: this.id, name, data }) ?? false
  }

  /** By the promise: @throws TypeError for what is no JSON; ClientError what the server refuses. Without a connection it is said with the next attach. */
  async present(wish: PresenceRequest): Promise<void> {
    this.#presence = { ...this.#presence, ...presenceOf(wish) }
    this.attach()
    await this.#tellPresence()
  }

  /** The page was shown or hidden, or may be going. */
  pageChanged(leaving: boolean): void {
    if (leaving) this.#cursors.flush()
    else this.#tellPresence().catch(() => {})
  }

  snapshot(): SessionSnapshot {
    if (this.#snapshot !== null) return this.#snapshot
    const { view, position } = this.reader
    this.#snapshot = {
      ...view.rest(),
      state: this.#state,
      messages: withPending(view, this.outbox.entries),
      sharedState: new Map(view.state),
      position: position === null ? null : formatPosition(position),
    }
    return this.#snapshot
  }

  /** What the session is attached over. */
  get #wire(): Wire | undefined {
    return this.reader.attached ? this.#host.connection()?.wire : undefined
  }

  #tellPresence(): Promise<void> {
    const presence = this.#wish()
    const wire = this.#wire
    if (presence === undefined || wire === undefined) return Promise.resolve()
    return new Promise((resolve, reject) => {
      wire.ask({ op: 'presence', session: this.id, presence }, ANSWER_MS, (answer) => {
        if (answer instanceof ClientError && !answer.retryable) reject(answer)
        else resolve()
      })
    })
  }

  /** A member is a tab: the same name after a reload is the same member. */
  #wish(): PresenceRequest | undefined {
    return (
      this.#presence && {
        member: this.#host.tab.get(),
        visible: this.#host.page.visible(),
        ...this.#presence,
      }
    )
  }

  #taken(event: WireEvent): void {
    this.outbox.settle()
    this.emitter.emit('event', event)
    for (const stream of this.#streams) stream.offer(event)
    this.#changed()
  }

  #moved(): void {
    this.outbox.settle()
    for (const stream of this.#streams) stream.moved()
    this.#ready()
    this.#changed()
  }

  /** Attached, and there is a view: what waits goes out, and can be held against it. */
  #ready(): void {
    const connected = this.#host.connection()
    if (connected === null || !this.reader.attached || this.reader.position === null) return
    const { wire, welcome } = connected
    const { maxFrameBytes } = welcome.limits
    this.outbox.resume({ channel: wire, subject: welcome.subject, maxFrameBytes })
    if (this.#marker !== null) this.#marker.resume(wire)
    else if (this.#read > 0) this.mark(this.#read).catch(() => {})
    // Last: who hears of it may close or detach.
    if (this.#state === 'attaching') this.#enter('live')
  }

  #refused(error: ClientError): void {
    this.unwired()
    this.outbox.refuseAll(error)
    this.#fail(error)
    this.#host.update()
  }

  #fail(error: ClientError): void {
    this.#enter('failed')
    this.emitter.emit('error', error)
  }

  #enter(state: SessionState): void {
    this.#state = state
    this.#changed()
    this.emitter.emit('state', state)
  }

  #changed(): void {
    this.#snapshot = null
    if (!this.#closed) this.#notifier.ask()
  }

  #closeStreams(): void {
    for (const stream of this.#streams) stream.close()
  }

  #openOutbox(store: OutboxStore): Outbox {
    const { clock, random } = this.#host
    const { view } = this.reader
    return new Outbox({
      session: this.id,
      clock,
      random,
      store,
      mintId: () => mintId(clock.now()),
      startedAt: (id, subject) => {
        const message = view.messages.get(id)
        return message?.by === subject ? message.first : null
      },
      position: () => this.reader.position,
      prompt: async (entry) => (await this.verbs()).prompt(entry),
      changed: () => this.#changed(),
      failed: (error) => this.emitter.emit('error', error),
    })
  }
}

/** @throws TypeError for what is no JSON: kept, it would fail each attach from then on */
function presenceOf(wish: SessionOptions['presence']): PresenceRequest | undefined {
  JSON.stringify(wish)
  return wish === true ? {} : wish || undefined
}
