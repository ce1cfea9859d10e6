import type { FakeClock } from './fake-clock.ts'
import type { FakeRandom } from './fake-random.ts'
import type { Down, FakeSocket } from './sim-socket.ts'

/** The way between a client and its socket at a node: frames arrive late, in order, and not at all once the way is cut. */
export class SimLink {
  readonly #socket: FakeSocket
  readonly #clock: FakeClock
  readonly #random: FakeRandom
  readonly #delayMs: number
  #upAt = 0
  #downAt = 0
  #cut = false

  constructor(
    socket: FakeSocket,
    ports: { readonly clock: FakeClock; readonly random: FakeRandom },
    delayMs: number,
    onFrame: (frame: Down) => void,
  ) {
    this.#socket = socket
    this.#clock = ports.clock
    this.#random = ports.random
    this.#delayMs = delayMs
    socket.onFrame = (frame) => {
      this.#downAt = this.#later(this.#downAt, () => onFrame(frame))
    }
    // What the node said while the socket was being opened.
    for (const frame of socket.frames) socket.onFrame(frame)
  }

  send(frame: object): void {
    this.#upAt = this.#later(this.#upAt, () => this.#socket.receive(frame))
  }

  /** Both sides lose what is on its way. */
  cut(): void {
    this.#cut = true
    this.#socket.drop()
  }

  #later(after: number, task: () => void): number {
    const at = Math.max(after, this.#clock.now() + this.#random.int(0, this.#delayMs))
    this.#clock.after(at - this.#clock.now(), () => {
      if (!this.#cut) task()
    })
    return at
  }
}
