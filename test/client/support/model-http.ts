import type { Fetch } from '../../../src/client/http.ts'
import { formatPosition, parsePosition } from '../../../src/protocol/position.ts'
import type { ModelLog } from './model-log.ts'
import { ModelConnection, type ModelServer } from './model-server.ts'

interface Request {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Headers
  readonly body: unknown
  readonly signal: AbortSignal | null
}

/** The HTTP face of the model server, as section 9 has it, behind whatever proxy the test needs. */
export class ModelHttp {
  readonly #server: ModelServer
  readonly requests: Request[] = []
  /** A proxy that gives a stream only when it has ended. */
  buffering = false
  /** Answers in the place of the next ones; `null` lets one through. */
  readonly refusals: (Response | null)[] = []
  away = false
  readonly members = new Map<string, unknown>()
  /** Signals and read positions, as they came. */
  readonly said: unknown[] = []
  /** Until it resolves they, and presence, are on their way. */
  held: Promise<void> = Promise.resolve()
  #waiting: (() => void)[] = []

  constructor(server: ModelServer) {
    this.#server = server
  }

  readonly fetch: Fetch = async (url, init) => {
    const { pathname, searchParams } = new URL(url)
    const request: Request = {
      method: init.method ?? 'GET',
      path: pathname,
      query: searchParams,
      headers: new Headers(init.headers),
      body: typeof init.body === 'string' ? JSON.parse(init.body) : undefined,
      signal: init.signal ?? null,
    }
    this.requests.push(request)
    request.signal?.throwIfAborted()
    if (this.away) throw new TypeError('fetch failed')
    return this.refusals.shift() ?? this.#answer(request)
  }

  /** Lets long-polls look again. */
  wake(): void {
    for (const look of this.#waiting.splice(0)) look()
  }

  async #answer(request: Request): Promise<Response> {
    const [, , , session = '', what, member] = request.path.split('/')
    const log = this.#server.log(session)
    if (what === 'messages') return messages(log, request.query)
    if (what === 'signals' || what === 'read') return this.#verb(what, request)
    if (what === 'presence') return this.#presence(request, member)
    if (request.method === 'POST') {
      const ack = this.#server.publish(session, request.body as never)
      this.#server.wake()
      this.wake()
      return Response.json(ack)
    }
    const stream = request.headers.get('accept') === 'text/event-stream'
    return stream ? this.#stream(session, request) : this.#events(log, request)
  }

  async #verb(what: 'signals' | 'read', { body }: Request): Promise<Response> {
    await this.held
    this.said.push({ [what]: body })
    return what === 'read' ? Response.json(body) : new Response(null, { status: 202 })
  }

  async #presence(request: Request, member = ''): Promise<Response> {
    await this.held
    if (request.method === 'PUT') this.members.set(member, request.body)
    if (request.method === 'DELETE') this.members.delete(member)
    if (request.method === 'DELETE') return new Response(null, { status: 204 })
    return Response.json({ members: [] })
  }

  async #events(log: ModelLog, { query, signal }: Request): Promise<Response> {
    const after = query.get('after') ?? '0'
    const limit = Number(query.get('limit') ?? 100)
    const position = parsePosition(after)
    const serial = position?.serial ?? Number(after)
    const reason = position === null ? null : log.judge(position)
    if (reason !== null) {
      const facts = { reason, floor: log.floor, head: formatPosition(log.head) }
      return problem(410, { code: 'position_unrecoverable', ...facts })
    }
    if (log.head.serial === serial && query.has('wait')) {
      await new Promise<void>((resolve, reject) => {
        this.#waiting.push(resolve)
        this.#server.clock.after(Number(query.get('wait')) * 1000, resolve)
        signal?.addEventListener('abort', () => reject(new Error('aborted')))
      })
    }
    const events = log.after(serial).slice(0, limit)
    const last = events.at(-1)
    return Response.json({
      epoch: log.epoch,
      events,
      position: last === undefined ? after : `${log.epoch}.${last.serial}.${last.tag}`,
      head: formatPosition(log.head),
      floor: log.floor,
      more: (last?.serial ?? serial) < log.head.serial,
    })
  }

  #stream(session: string, { query, signal }: Request): Response {
    const after = query.get('after')
    const text = new TextEncoder()
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        if (this.buffering) return
        let ended = false
        const end = (): void => {
          if (!ended) controller.close()
          ended = true
        }
        const connection = new ModelConnection(this.#server, 'sse', {
          frame: (frame) => {
            if (ended || frame.type === 'welcome') return
            const message = `event: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`
            // Cut in two, as a network does.
            controller.enqueue(text.encode(message.slice(0, 9)))
            controller.enqueue(text.encode(message.slice(9)))
          },
          closed: end,
        })
        this.#server.connections.push(connection)
        signal?.addEventListener('abort', () => {
          connection.close()
          if (!ended) controller.error(new Error('aborted'))
          ended = true
        })
        const position = after === null ? {} : { position: after }
        connection.send({ op: 'attach', ref: 'sse', session, ...position })
      },
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
}

function messages(log: ModelLog, query: URLSearchParams): Response {
  const all = [...log.view.messages.values()]
  const before = query.get('before')
  const end = before === null ? all.length : all.findIndex((message) => message.id === before)
  const start = Math.max(0, end - 3)
  return Response.json({
    messages: all.slice(start, end),
    position: formatPosition(log.head),
    rest: log.view.rest(),
    more: start > 0,
  })
}

export function problem(
  status: number,
  body: object,
  headers: Record<string, string> = {},
): Response {
  const content = { type: 'about:blank', title: 'no', detail: 'no', retryable: false, ...body }
  return Response.json(content, { status, headers })
}
