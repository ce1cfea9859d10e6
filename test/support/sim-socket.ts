import type { Grant } from '../../src/core/access.ts'
import { Connection, type ConnectionPorts } from '../../src/core/connection.ts'
import type { Frame } from '../../src/core/frame.ts'
import type { Transport } from '../../src/core/outbox.ts'
import { DOWN_FRAMES, type DownFrameOf, type DownType } from '../../src/protocol/frames-down.ts'

/** Any frame to a client, read back from its text. */
export type Down = { readonly type: DownType } & Readonly<Record<string, unknown>>

/** A socket without a network: what was sent, in order, and a buffer that the test fills and empties. */
export class FakeSocket implements Transport {
  readonly connection: Connection
  readonly frames: Down[] = []
  /** Every frame as text, as it would have gone out. */
  readonly texts: string[] = []
  closedWith: { readonly code: number; readonly reason: string } | null = null
  onClose: () => void = () => undefined
  onFrame: (frame: Down) => void = () => undefined
  /** Takes nothing: what is sent stays in the buffer. */
  frozen = false
  #buffered = 0
  #refs = 0

  constructor(ports: ConnectionPorts, id: string, grant: Grant | null) {
    this.connection = new Connection(id, ports, this, grant)
  }

  get bufferedBytes(): number {
    return this.#buffered
  }

  send({ text, type }: Frame): void {
    if (this.closedWith !== null) return
    if (this.frozen) this.#buffered += text.length
    this.texts.push(text)
    const frame = { ...(JSON.parse(text) as object), type }
    // What a node sends is what the protocol says, whatever the test is about.
    DOWN_FRAMES[type].parse(frame)
    this.frames.push(frame)
    this.onFrame(frame)
  }

  close(code: number, reason: string): void {
    if (this.closedWith !== null) return
    this.closedWith = { code, reason }
    this.connection.lost(code === 1006)
    this.onClose()
  }

  /** The network is gone, without a word. */
  drop(): void {
    this.close(1006, 'dropped')
  }

  /** The client has taken so much of what waited. */
  drain(bytes = this.#buffered): void {
    this.#buffered -= bytes
    this.connection.pump()
  }

  receive(frame: object | string): void {
    this.connection.receive(typeof frame === 'string' ? frame : JSON.stringify(frame))
  }

  /** Sends a frame with a new ref. @returns the ref */
  ask(frame: { readonly op: string } & Readonly<Record<string, unknown>>): string {
    const ref = `r${++this.#refs}`
    this.receive({ ...frame, ref })
    return ref
  }

  /** All answers to a ref: there is exactly one, or something is wrong. */
  answers(ref: string): Down[] {
    return this.frames.filter((frame) => frame['ref'] === ref)
  }

  all<Type extends DownType>(type: Type): DownFrameOf<Type>[] {
    // The type is the tag of the union, and `send` has checked the rest.
    return this.frames.filter((frame) => frame.type === type) as unknown as DownFrameOf<Type>[]
  }

  last<Type extends DownType>(type: Type): DownFrameOf<Type> | undefined {
    return this.all(type).at(-1)
  }

  /** The serials of all events that came, for each session. */
  serials(session: string): number[] {
    return this.all('events')
      .filter((frame) => frame.session === session)
      .flatMap((frame) => frame.events.map((event) => event.serial))
  }
}
