import type { Log } from './log.ts'
import type { Runs } from './runs.ts'
import type { Beat, BeatRequest } from './transitions/run-lease.ts'
import type { LostSocket } from './transitions/run-socket.ts'

export interface BeatenRunsPorts {
  readonly runs: Pick<Runs, 'heartbeat' | 'socketLost'>
  readonly log: Log
}

/** Of more, those that beat longest ago have their lease alone. */
const MAX_RUNS = 100

/** The runs that one socket beats for: when it is lost, so are their agents, unless they show themselves soon. [P-10.12] */
export class BeatenRuns {
  readonly #ports: BeatenRunsPorts
  readonly #socket: string
  /** In the order of the last beat. */
  readonly #runs = new Map<string, LostSocket>()
  #lost = false

  /** @param socket the connection's name */
  constructor(ports: BeatenRunsPorts, socket: string) {
    this.#ports = ports
    this.#socket = socket
  }

  /** How many runs this socket stands for. */
  get size(): number {
    return this.#runs.size
  }

  /** @throws HeldlineError `run_not_found`, `run_fenced`, `session_not_found` */
  async beat(request: BeatRequest): Promise<Beat> {
    const { session, claim } = request
    // An id holds no space.
    const key = `${session} ${claim.run}`
    const beaten = { session, claim, socket: this.#socket }
    const done = await this.#ports.runs.heartbeat({ ...request, socket: this.#socket })
    if (!done.live) this.#runs.delete(key)
    // Lost while the beat was on its way: the loss comes after it.
    else if (this.#lost) await this.#tell(beaten)
    else this.#remember(key, beaten)
    return done
  }

  /** The socket is lost. What cannot be told, the lease makes good. */
  lost(): void {
    this.#lost = true
    const all = [...this.#runs.values()]
    this.#runs.clear()
    void this.#tellAll(all)
  }

  #remember(key: string, beaten: LostSocket): void {
    this.#runs.delete(key)
    this.#runs.set(key, beaten)
    if (this.#runs.size <= MAX_RUNS) return
    const [oldest] = this.#runs.keys()
    if (oldest !== undefined) this.#runs.delete(oldest)
  }

  /** One after the other: a hundred of them must not be a hundred requests at once. */
  async #tellAll(all: readonly LostSocket[]): Promise<void> {
    for (const beaten of all) await this.#tell(beaten)
  }

  async #tell(beaten: LostSocket): Promise<void> {
    try {
      await this.#ports.runs.socketLost(beaten)
    } catch (error) {
      this.#ports.log.info('run.socket_lost_failed', { session: beaten.session, error })
    }
  }
}
