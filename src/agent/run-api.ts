import type { JsonRequest } from './http.ts'
import type { SessionApi } from './session-api.ts'

type Json = Readonly<Record<string, unknown>>

/** The requests of a run, by the epoch that this process holds it with. [P-10] */
export class RunApi {
  readonly run: string
  readonly epoch: number
  readonly session: SessionApi
  readonly #headers: Readonly<Record<string, string>>

  constructor(session: SessionApi, run: string, epoch: number) {
    this.session = session
    this.run = run
    this.epoch = epoch
    this.#headers = { 'run-epoch': String(epoch) }
  }

  /** To a path of the run, sent until the outcome is known: what it says may be said again. */
  post(verb: string, body: object, signal?: AbortSignal): Promise<Json> {
    return this.session.json(this.#request(`${this.#path}/${verb}`, body, 'status', signal))
  }

  /** To a path of the session, in the name of the run. @param expects what the answer always has */
  postBeside(
    path: string,
    body: object,
    expects: string,
    signal?: AbortSignal,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Json> {
    const request = this.#request(path, body, expects, signal)
    return this.session.json({ ...request, headers: { ...request.headers, ...headers } })
  }

  /** A sign of life, over the socket where it is open; sent once: the next one follows anyway. [P-10.5] [P-10.12] */
  beat(signal: AbortSignal): Promise<Json> {
    const { run, epoch } = this
    const { session, ports } = this.session
    return (
      ports.socket?.beat({ session, run, epoch }) ??
      this.session.once(this.#request(`${this.#path}/heartbeat`, {}, 'live', signal))
    )
  }

  /** Sent once: the appender knows when to send it again, with the same seq. */
  async append(text: string, producer: string, seq: number, signal: AbortSignal): Promise<void> {
    await this.session.once({
      method: 'POST',
      path: `${this.#path}/events`,
      text,
      headers: {
        ...this.#headers,
        'producer-id': producer,
        'producer-epoch': String(this.epoch),
        'producer-seq': String(seq),
      },
      // An acknowledgement names it.
      expects: 'durability',
      signal,
    })
  }

  read(): Promise<Json> {
    return this.session.json({ path: this.#path, expects: 'status' })
  }

  get #path(): string {
    return `/runs/${encodeURIComponent(this.run)}`
  }

  #request(
    path: string,
    body: object,
    expects: string,
    signal: AbortSignal | undefined,
  ): JsonRequest {
    return { method: 'POST', path, body, headers: this.#headers, expects, signal }
  }
}
