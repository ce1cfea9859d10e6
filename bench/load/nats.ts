import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { Dialect } from './dialects.ts'
import type { Reader } from './reader.ts'

/** The one stream of a run: every session is a subject of it. */
export const STREAM = 'bench'

const CRLF = '\r\n'
const END = Buffer.from(CRLF)
/** What comes on a reader's own subject still names that of the session. */
const EVENT = `MSG ${STREAM}.`
/** Headers, because flow control comes in them. */
const CONNECT = `CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}${CRLF}PING${CRLF}`
const HEARTBEAT_NS = 5_000_000_000

let inboxes = 0

/**
 * NATS' own protocol inside a WebSocket, whose frames may end anywhere in it: gives whole commands back, and events
 * that come together as one frame.
 */
export function natsFrames(): (data: Buffer) => Buffer[] {
  let rest: Buffer = Buffer.alloc(0)
  return (data) => {
    const bytes = rest.length === 0 ? data : Buffer.concat([rest, data])
    const frames: Buffer[] = []
    let at = 0
    let events = -1
    for (;;) {
      const end = commandEnd(bytes, at)
      if (end === -1) break
      const isEvent = startsWith(bytes, at, EVENT)
      if (isEvent && events === -1) events = at
      if (!isEvent && events !== -1) {
        frames.push(bytes.subarray(events, at))
        events = -1
      }
      if (!isEvent) frames.push(bytes.subarray(at, end))
      at = end
    }
    if (events !== -1) frames.push(bytes.subarray(events, at))
    rest = bytes.subarray(at)
    return frames
  }
}

/** Where the command that begins here ends, its payload included; -1 where that has not come. */
function commandEnd(bytes: Buffer, at: number): number {
  const line = bytes.indexOf(END, at)
  if (line === -1) return -1
  const end = line + END.length
  if (!startsWith(bytes, at, 'MSG ') && !startsWith(bytes, at, 'HMSG ')) return end
  const length = Number(bytes.toString('latin1', bytes.lastIndexOf(' ', line) + 1, line))
  const whole = end + length + END.length
  return whole <= bytes.length ? whole : -1
}

function startsWith(bytes: Buffer, at: number, text: string): boolean {
  return bytes.toString('latin1', at, at + text.length) === text
}

export const publication = (subject: string, reply: string, data: string): string =>
  `PUB ${subject} ${reply} ${Buffer.byteLength(data)}${CRLF}${data}${CRLF}`

/** An ordered push consumer of JetStream, as NATS' own clients make it: no acknowledgements, flow control, heartbeats. */
export const nats: Dialect = {
  marker: '"n":',
  path: '/',
  protocols: [],
  options: { perMessageDeflate: false, skipUTF8Validation: true },
  frames: natsFrames,
  isEvents: (frame) => startsWith(frame, 0, EVENT),
  opened: (reader) => reader.ws.send(CONNECT),
  attach: (reader) => {
    reader.identity = `${process.pid}-${inboxes++}`
    const { position } = reader.options
    const config = {
      deliver_subject: `in.${reader.identity}`,
      filter_subject: `${STREAM}.${reader.session}`,
      ack_policy: 'none',
      max_deliver: 1,
      replay_policy: 'instant',
      flow_control: true,
      idle_heartbeat: HEARTBEAT_NS,
      mem_storage: true,
      ...(position === undefined
        ? { deliver_policy: 'new' }
        : { deliver_policy: 'by_start_sequence', opt_start_seq: Number(position) }),
    }
    const order = JSON.stringify({ stream_name: STREAM, config })
    reader.ws.send(
      `SUB in.${reader.identity} 1${CRLF}SUB made.${reader.identity} 2${CRLF}` +
        publication(`$JS.API.CONSUMER.CREATE.${STREAM}`, `made.${reader.identity}`, order),
    )
  },
  control: (reader, text) => {
    if (text.startsWith('PING')) return reader.ws.send(`PONG${CRLF}`)
    if (text.startsWith('PONG')) return reader.ready()
    if (text.startsWith('-ERR')) return reader.fail(new Error(`the server says ${text}`))
    if (text.startsWith('HMSG ')) return answerStatus(reader, text)
    if (!text.startsWith('MSG made.')) return undefined
    if (text.includes('"error"')) return reader.fail(new Error(`the server says ${text}`))
    // The first events may come before the answer.
    return reader.begin(Math.max(reader.last, reader.options.after ?? 0))
  },
}

/** A request for flow control is answered at its reply subject; a heartbeat of a consumer that waits for one names it in a header. */
function answerStatus(reader: Reader, text: string): void {
  const [head = ''] = text.split(CRLF, 1)
  const parts = head.split(' ')
  const stalled = /Nats-Consumer-Stalled: ?(\S+)/.exec(text)?.[1]
  const reply = text.includes('FlowControl') && parts.length === 6 ? parts[3] : stalled
  if (reply !== undefined) reader.ws.send(`PUB ${reply} 0${CRLF}${CRLF}`)
}

/** The sequence in the stream of the first message of a frame of events: it stands in its reply subject. */
export function streamSequence(frame: string): number {
  const sequence = /^MSG \S+ \S+ \$JS\.ACK\.[^.]+\.[^.]+\.\d+\.(\d+)\./.exec(frame)?.[1]
  if (sequence === undefined) throw new Error(`no sequence in ${frame.slice(0, 200)}`)
  return Number(sequence)
}

/** A socket that is ready to publish. */
export async function openNats(port: number): Promise<WebSocket> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false })
  const frames = natsFrames()
  const ready = Promise.withResolvers<void>()
  ws.on('error', (error) => ready.reject(error))
  ws.on('message', (data: Buffer) => {
    for (const frame of frames(data)) {
      const text = frame.toString('latin1', 0, 4)
      if (text === 'PONG') ready.resolve()
      if (text === 'PING') ws.send(`PONG${CRLF}`)
    }
  })
  await once(ws, 'open')
  ws.send(CONNECT)
  await ready.promise
  return ws
}

/** Asks JetStream's API, and waits for its answer. @throws Error where that is one */
export async function ask(ws: WebSocket, subject: string, order: object): Promise<void> {
  const answered = Promise.withResolvers<string>()
  const frames = natsFrames()
  const hear = (data: Buffer): void => {
    for (const frame of frames(data)) {
      if (frame.toString('latin1', 0, 10) === 'MSG asked.') answered.resolve(frame.toString())
    }
  }
  ws.on('message', hear)
  ws.send(`SUB asked.api 9${CRLF}${publication(subject, 'asked.api', JSON.stringify(order))}`)
  const answer = await answered.promise
  ws.off('message', hear)
  if (answer.includes('"error"')) throw new Error(`the server says ${answer}`)
}
