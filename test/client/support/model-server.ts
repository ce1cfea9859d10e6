import type { Secrets } from '../../../src/client/credentials.ts'
import { readFrame } from '../../../src/client/read-frame.ts'
import type {
  OpenTransport,
  Transport,
  TransportEvents,
  TransportKind,
} from '../../../src/client/transport/transport.ts'
import type { WireEvent } from '../../../src/protocol/event.ts'
import type { DownFrame } from '../../../src/protocol/frames-down.ts'
import type { AttachFrame, PublishFrame, UpFrame } from '../../../src/protocol/frames-up.ts'
import { formatPosition, parsePosition, type Position } from '../../../src/protocol/position.ts'
import type { FakeClock } from './fake-clock.ts'
import { ModelLog, type Draft } from './model-log.ts'

/**
 * The server's side of section 4, in memory: it really attaches, resumes, resets, folds and acknowledges. Frames lie in each connection's
 * queue until they are delivered, so that a test can lose, double and swap them.
 */
export class ModelServer {
  readonly logs = new Map<string, ModelLog>()
  readonly connections: ModelConnection[] = []
  readonly clock: FakeClock
  /** Frames go out as they are made. */
  auto = true
  /** `null`: takes nobody. */
  subject: string | null = 'ada'
  welcomes = true
  heartbeats = true
  foldAfter = 20
  pieceMessages = 2
  /** Every frame that came, in order. */
  readonly received: UpFrame[] = []
  /** A refusal in the place of the next answer to an op. */
  readonly refusals = new Map<UpFrame['op'], { code: string; retryable: boolean }>()
  /** Answers that are made and lost. */
  loseAcks = false
  readonly secrets: Secrets[] = []
  readonly kinds: TransportKind[] = []

  constructor(clock: FakeClock) {
    this.clock = clock
  }

  readonly open: OpenTransport = (kind, secrets, events) => {
    const connection = new ModelConnection(this, kind, events)
    this.connections.push(connection)
    this.secrets.push(secrets)
    this.kinds.push(kind)
    return connection
  }

  /** The connection that was opened last. */
  get last(): ModelConnection {
    const connection = this.connections.at(-1)
    if (connection === undefined) throw new Error('nobody has connected')
    return connection
  }

  get openConnections(): ModelConnection[] {
    return this.connections.filter((connection) => !connection.ended)
  }

  log(session: string): ModelLog {
    const log = this.logs.get(session) ?? new ModelLog()
    this.logs.set(session, log)
    return log
  }

  append(session: string, ...drafts: Draft[]): WireEvent[] {
    const events = this.log(session).append(drafts, 'agent', this.clock.now())
    this.wake()
    return events
  }

  /** Every reader looks again. */
  wake(): void {
    for (const connection of this.openConnections) connection.pump()
  }

  heartbeat(): void {
    for (const connection of this.openConnections) connection.heartbeat()
  }

  /** Appends as [P-2.5] has it: what was appended before changes nothing. */
  publish(session: string, events: PublishFrame['events']): DownFrame & { type: 'ack' } {
    const log = this.log(session)
    const serials = events.map((event) => {
      const before = log.events.find((one) => one.id === event.id)
      if (before !== undefined) return { serial: before.serial, old: true }
      const [made] = log.append([event as Draft], this.subject ?? '', this.clock.now())
      return { serial: made?.serial ?? 0, old: false }
    })
    return {
      type: 'ack',
      ref: '',
      session,
      epoch: log.epoch,
      first: serials[0]?.serial ?? 0,
      last: serials.at(-1)?.serial ?? 0,
      duplicates: serials.filter((one) => one.old).length,
      durability: 'memory',
    }
  }
}

export class ModelConnection implements Transport {
  readonly kind: TransportKind
  readonly #server: ModelServer
  readonly #events: TransportEvents
  readonly #cursors = new Map<string, Position>()
  queue: DownFrame[] = []
  ended = false

  constructor(server: ModelServer, kind: TransportKind, events: TransportEvents) {
    this.kind = kind
    this.#server = server
    this.#events = events
    queueMicrotask(() => this.#greet())
  }

  send(frame: UpFrame): boolean {
    if (this.ended) return false
    this.#server.received.push(frame)
    this.#take(frame)
    return true
  }

  close(): void {
    this.ended = true
    this.queue = []
  }

  /** Ends it from the server's side, or the network's. */
  cut(code = 1006, retryAfterMs?: number): void {
    if (this.ended) return
    this.close()
    this.#events.closed(code, retryAfterMs)
  }

  say(frame: DownFrame): void {
    if (this.ended) return
    this.queue.push(frame)
    if (this.#server.auto) this.deliver()
  }

  /** Hands over what lies in the queue, through text and guard as a socket would. */
  deliver(count = Number.POSITIVE_INFINITY): void {
    for (let i = 0; i < count && this.queue.length > 0; i++) {
      const frame = readFrame(JSON.parse(JSON.stringify(this.queue.shift())))
      if (frame === null) throw new Error('the model sent what the guard refuses')
      if (!this.ended) this.#events.frame(frame)
    }
  }

  heartbeat(): void {
    const heads: Record<string, string> = {}
    for (const session of this.#cursors.keys()) {
      heads[session] = formatPosition(this.#server.log(session).head)
    }
    this.say({ type: 'heartbeat', at: this.#server.clock.now(), heads })
  }

  pump(): void {
    for (const [session, position] of this.#cursors) {
      const log = this.#server.log(session)
      const reason = log.judge(position)
      if (reason !== null) {
        const head = formatPosition(log.head)
        const refused = formatPosition(position)
        this.say({ type: 'reset', session, reason, floor: log.floor, head, position: refused })
        this.#snapshot(session, null)
      } else if (position.serial < log.head.serial) {
        this.#cursors.set(session, log.head)
        this.say({ type: 'events', session, events: [...log.after(position.serial)] as never })
      }
    }
  }

  #greet(): void {
    const { subject, welcomes, heartbeats } = this.#server
    if (this.ended || !welcomes) return
    if (subject === null) return this.cut(4401)
    const limits = {
      maxFrameBytes: 4096,
      maxEventBytes: 2048,
      maxSessions: 100,
      framesPerSecond: 50,
    }
    this.say({
      type: 'welcome',
      connection: 'c',
      subject,
      expiresAt: null,
      heartbeatMs: 15_000,
      limits,
    })
    if (heartbeats) this.heartbeat()
  }

  #take(frame: UpFrame): void {
    const refusal = this.#server.refusals.get(frame.op)
    if (refusal !== undefined && frame.ref !== undefined) {
      this.#server.refusals.delete(frame.op)
      return this.say({ type: 'error', ref: frame.ref, message: refusal.code, ...refusal })
    }
    switch (frame.op) {
      case 'attach':
        return this.#attach(frame)
      case 'publish': {
        const ack = this.#server.publish(frame.session, frame.events)
        if (!this.#server.loseAcks) this.say({ ...ack, ref: frame.ref })
        return this.#server.wake()
      }
      case 'detach':
        this.#cursors.delete(frame.session)
        return this.say({ type: 'detached', ref: frame.ref, session: frame.session })
      case 'ping':
        return this.say({ type: 'pong', ref: frame.ref })
      case 'auth':
      case 'read':
      case 'presence':
        return this.say({ type: 'ok', ref: frame.ref })
      // The client has no word for a run's sign of life.
      case 'beat':
      case 'signal':
    }
  }

  #attach(frame: AttachFrame): void {
    const { session, ref } = frame
    const log = this.#server.log(session)
    const position = parsePosition(frame.position)
    const mode = position === null ? 'snapshot' : 'resumed'
    this.say({ type: 'attached', ref, session, mode, head: formatPosition(log.head) })
    if (position === null) return this.#snapshot(session, null)
    const missed = log.head.serial - position.serial
    const fold = missed > this.#server.foldAfter && frame.catchup !== 'events'
    if (fold && log.judge(position) === null) return this.#snapshot(session, position.serial)
    this.#cursors.set(session, position)
    this.pump()
  }

  #snapshot(session: string, since: number | null): void {
    const { view, head } = this.#server.log(session)
    const all = [...view.messages.values()].filter((one) => since === null || one.serial > since)
    const common = {
      type: 'snapshot' as const,
      session,
      position: formatPosition(head),
      ...(since !== null && { since }),
    }
    const rest = view.rest() as never
    this.#cursors.set(session, head)
    const size = this.#server.pieceMessages
    for (let start = 0; start < all.length - size; start += size) {
      this.say({ ...common, messages: all.slice(start, start + size) as never, last: false })
    }
    const left = all.length === 0 ? 0 : all.length % size === 0 ? size : all.length % size
    const messages = all.slice(all.length - left) as never
    this.say({ ...common, messages, rest, last: true })
  }
}
