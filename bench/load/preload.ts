import { call, good, HttpConnection, requestBytes } from './http.ts'
import { EVENT, HttpPublisher } from './publishers.ts'
import { payload, type Target } from './target.ts'

export interface PreloadParams {
  readonly target: Target
  readonly session: string
  readonly events: number
}

const BATCH = 500
const CONNECTIONS = 4

/** Makes a Heldline session with so many events. @returns the position before the first of them */
export async function preload({ target, session, events }: PreloadParams): Promise<string> {
  const position = await createSession(target.port, session)
  for (let left = events; left > 0;) {
    const batch = Math.min(BATCH, left)
    const connections = Math.min(CONNECTIONS, Math.floor(left / batch))
    // Whole rounds of batches; what is left over makes a round of its own.
    const round = Math.floor(left / batch) * batch
    await new HttpPublisher(target, session, connections, batch).send(round)
    left -= round
  }
  return position
}

/** @returns the position at its head, from which everything that is appended follows */
export async function createSession(port: number, session: string): Promise<string> {
  await call(port, 'PUT', `/v1/sessions/${session}`, '{}')
  const page = await call(port, 'GET', `/v1/sessions/${session}/events?after=0&limit=1000`)
  return (JSON.parse(page.toString()) as { position: string }).position
}

export interface PopulateParams {
  readonly port: number
  readonly prefix: string
  readonly from: number
  readonly sessions: number
  readonly eventsEach: number
}

/** Makes many sessions with a few short events each. */
export async function populate(params: PopulateParams): Promise<void> {
  const { port, prefix, from, sessions, eventsEach } = params
  const event = `{"type":"x.bench","data":${payload('', 40)}}`
  const body = `[${Array.from({ length: eventsEach }, () => event).join(',')}]`
  let next = from
  const work = async (): Promise<void> => {
    const connection = new HttpConnection(port)
    while (next < from + sessions) {
      const path = `/v1/sessions/${prefix}${next++}`
      good(await connection.request(requestBytes('PUT', path, '{}')))
      if (eventsEach > 0) {
        good(await connection.request(requestBytes('POST', `${path}/events`, body)))
      }
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: 32 }, work))
}

export interface FallBehindParams {
  readonly port: number
  readonly prefix: string
  readonly sessions: number
  /** Events of the usual size behind each position. */
  readonly behind: number
}

/** Makes sessions, each with so many events behind the position of a client that was there before. @returns the positions */
export async function fallBehind(params: FallBehindParams): Promise<string[]> {
  const { port, prefix, sessions, behind } = params
  const body = `[${Array.from({ length: behind }, () => EVENT).join(',')}]`
  const positions: string[] = []
  let next = 0
  const work = async (): Promise<void> => {
    const connection = new HttpConnection(port)
    const ask = async (method: string, path: string, text = ''): Promise<Buffer> =>
      good(await connection.request(requestBytes(method, path, text))).body
    while (next < sessions) {
      const session = next++
      const path = `/v1/sessions/${prefix}${session}`
      await ask('PUT', path, '{}')
      const page = await ask('GET', `${path}/events?after=0&limit=1000`)
      positions[session] = (JSON.parse(page.toString()) as { position: string }).position
      await ask('POST', `${path}/events`, body)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: 32 }, work))
  return positions
}

export interface StartRunsParams {
  readonly port: number
  readonly prefix: string
  readonly sessions: number
  readonly runsEach: number
  readonly leaseMs: number
}

/** Makes sessions with runs that live and say nothing. */
export async function startRuns(params: StartRunsParams): Promise<void> {
  const { port, prefix, sessions, runsEach, leaseMs } = params
  let next = 0
  const work = async (): Promise<void> => {
    const connection = new HttpConnection(port)
    while (next < sessions) {
      const path = `/v1/sessions/${prefix}${next++}`
      good(await connection.request(requestBytes('PUT', path, '{}')))
      for (let i = 0; i < runsEach; i++) {
        const body = JSON.stringify({ run: `r${i}`, leaseMs })
        good(await connection.request(requestBytes('POST', `${path}/runs`, body)))
      }
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: 16 }, work))
}
