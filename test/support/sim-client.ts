import type { Grant } from '../../src/core/access.ts'
import type { WireEvent } from '../../src/protocol/event.ts'
import type { DownFrameOf, DownType } from '../../src/protocol/frames-down.ts'
import { follows, View, type ViewRest } from '../../src/protocol/fold/view.ts'
import type { Message } from '../../src/protocol/fold/message.ts'
import type { Epoch, SessionId } from '../../src/protocol/ids.ts'
import {
  formatPosition,
  genesis,
  parsePosition,
  type Position,
} from '../../src/protocol/position.ts'
import type { FakeClock } from './fake-clock.ts'
import type { FakeRandom } from './fake-random.ts'
import type { Fact, Seen } from './history.ts'
import { SimLink } from './sim-link.ts'
import type { SimNode } from './sim-node.ts'
import type { Down, FakeSocket } from './sim-socket.ts'

export interface SimClientPorts {
  readonly clock: FakeClock
  readonly random: FakeRandom
  /** The nodes that can be reached now. */
  readonly nodes: () => readonly SimNode[]
  readonly record: (who: string, fact: Fact) => void
}

type Taking = { readonly [Type in DownType]?: (frame: DownFrameOf<Type>) => void }

interface Snapshot {
  readonly position: string
  readonly messages: readonly Message[]
  readonly since?: number
  readonly rest?: ViewRest
  readonly last: boolean
}

const LINK_DELAY_MS = 30
const ANSWER_WITHIN_MS = 5000
const SILENCE_MS = 35_000
const CATCH_UP_MS = 2000

/** A client as the protocol describes it: the rule of the line, and the duties that come with it. [P-4.3] [P-4.10] [P-4.13] */
export class SimClient {
  readonly name: string
  readonly #session: SessionId
  readonly #grant: Grant
  readonly #ports: SimClientPorts
  #view = new View(genesis('none------' as Epoch))
  /** Whether the view stands at a position of a log at all. */
  #placed = false
  #socket: FakeSocket | null = null
  #link: SimLink | null = null
  #pieces: Message[] = []
  #ref = ''
  #refs = 0
  /** Rises with every connection, so that timers of earlier ones know that they are over. */
  #life = 0
  #heardAt = 0
  #stopped = false

  constructor(name: string, session: SessionId, grant: Grant, ports: SimClientPorts) {
    this.name = name
    this.#session = session
    this.#grant = grant
    this.#ports = ports
    this.#connect()
    this.#watch()
  }

  readonly #takers: Taking = {
    welcome: () => this.#attach(),
    // Pieces of an attachment that was replaced are over with it.
    attached: () => void this.#pieces.splice(0),
    snapshot: (frame) => this.#takeSnapshot(frame as unknown as Snapshot),
    events: (frame) => this.#takeEvents(frame.events as unknown as readonly WireEvent[]),
    reset: (frame) => this.#takeReset(frame),
    heartbeat: (frame) => this.#takeHeads(frame.heads),
    goaway: (frame) => this.#later(frame.afterMs, this.#life, () => this.drop()),
    error: (frame) => this.#takeError(frame),
  }

  get view(): View {
    return this.#view
  }

  get socket(): FakeSocket | null {
    return this.#socket
  }

  /** The network between here and the node is gone. */
  drop(): void {
    this.#link?.cut()
  }

  stop(): void {
    this.#stopped = true
    this.drop()
  }

  #connect(): void {
    const { random, nodes, clock } = this.#ports
    const life = ++this.#life
    const reachable = nodes()
    if (this.#stopped) return
    if (reachable.length === 0) return this.#later(200, life, () => this.#connect())
    const node = random.pick(reachable)
    const socket = node.connect(this.#grant)
    const { onClose } = socket
    socket.onClose = () => {
      onClose()
      const { closedWith } = socket
      if (closedWith !== null)
        this.#ports.record(this.name, { kind: 'close', code: closedWith.code })
      if (life === this.#life) this.#later(random.int(50, 500), life, () => this.#connect())
    }
    this.#heardAt = clock.now()
    this.#socket = socket
    this.#link = new SimLink(socket, this.#ports, LINK_DELAY_MS, (frame) => {
      if (life === this.#life) this.#take(frame)
    })
  }

  #take(frame: Down): void {
    this.#heardAt = this.#ports.clock.now()
    const take = this.#takers[frame.type]
    // The socket has checked that every frame has the form of its type.
    if (take !== undefined) take(frame as never)
  }

  #attach(): void {
    const position = this.#placed ? formatPosition(this.#view.position) : null
    const ref = (this.#ref = `a${++this.#refs}`)
    this.#ports.record(this.name, { kind: 'attach', node: '', position })
    this.#link?.send({
      op: 'attach',
      ref,
      session: this.#session,
      presence: { member: this.name },
      ...(position !== null && { position }),
      ...(this.#ports.random.chance(0.5) && { catchup: 'events' }),
    })
    this.#later(ANSWER_WITHIN_MS, this.#life, () => {
      const answered = this.#socket?.answers(ref).length ?? 0
      if (this.#ref === ref && answered === 0) this.drop()
    })
  }

  #takeReset({ reason, floor, head, position }: DownFrameOf<'reset'>): void {
    this.#pieces = []
    this.#placed = false
    this.#ports.record(this.name, { kind: 'reset', reason, floor, head, position })
  }

  #takeSnapshot(frame: Snapshot): void {
    this.#pieces.push(...frame.messages)
    const position = parsePosition(frame.position)
    if (!frame.last || frame.rest === undefined || position === null) return
    this.#view.restore(position, this.#pieces, frame.rest, frame.since)
    this.#pieces = []
    this.#placed = true
    const since = frame.since ?? null
    this.#ports.record(this.name, { kind: 'snapshot', position: frame.position, since })
  }

  /** The rule of the line. */
  #takeEvents(events: readonly WireEvent[]): void {
    for (const event of events) {
      if (!this.#placed || event.serial <= this.#view.position.serial) continue
      if (!follows(this.#view.position, event)) return this.#attach()
      this.#view.apply(event)
      this.#ports.record(this.name, { kind: 'event', ...seenAs(this.#view.position, event) })
    }
  }

  #takeHeads(heads: Readonly<Record<string, string>>): void {
    const head = heads[this.#session]
    const before = formatPosition(this.#view.position)
    if (head === undefined || head === before) return
    this.#later(CATCH_UP_MS, this.#life, () => {
      if (formatPosition(this.#view.position) === before) this.#attach()
    })
  }

  #takeError(frame: DownFrameOf<'error'>): void {
    this.#ports.record(this.name, { kind: 'error', code: frame.code })
    const ended = frame.ref === null && frame.session !== undefined
    if (ended || frame.ref === this.#ref) this.#later(700, this.#life, () => this.#attach())
  }

  /** Whoever hears nothing for 35 s connects again, whatever the socket says. */
  #watch(): void {
    this.#ports.clock.after(SILENCE_MS / 7, () => {
      if (this.#stopped) return
      if (this.#ports.clock.now() - this.#heardAt > SILENCE_MS) this.drop()
      this.#watch()
    })
  }

  #later(ms: number, life: number, task: () => void): void {
    this.#ports.clock.after(ms, () => {
      if (life === this.#life && !this.#stopped) task()
    })
  }
}

/** An event as the history has it: the ids of the server's own events are nobody's. */
export function seenAs({ epoch }: Pick<Position, 'epoch'>, event: WireEvent): Seen {
  const { serial, tag, prev, type, id, data } = event
  const ours = type.startsWith('x.') || type.startsWith('message.')
  const crc = JSON.stringify([type, id, data])
  return { epoch, serial, tag, prev, id: ours ? id : null, crc }
}
