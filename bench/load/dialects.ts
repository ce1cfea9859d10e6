import type { ClientOptions } from 'ws'
import { nats } from './nats.ts'
import type { Reader } from './reader.ts'
import { API_KEY, type Target } from './target.ts'

/** How one kind of server is spoken to by a reader: as little as will do, so that the load process is not what is measured. */
export interface Dialect {
  /** Stands before the number of each event. */
  readonly marker: string
  readonly path: string
  readonly protocols: readonly string[]
  readonly options: ClientOptions
  /** Cuts what a socket gives into frames, where those of the WebSocket are not; one function a socket. */
  frames?(): (data: Buffer) => Buffer[]
  /** Whether a frame holds events, told by its first bytes. */
  isEvents(frame: Buffer): boolean
  /** The socket is open. */
  opened(reader: Reader): void
  /** Asks for the events. */
  attach(reader: Reader): void
  /** Any other frame; calls `reader.begin` once what follows are events. */
  control(reader: Reader, text: string): void
}

export const COMMON: ClientOptions = { perMessageDeflate: false, skipUTF8Validation: true }

/** What a browser offers that has a token. */
export const browserProtocols = (token: string): string[] => [
  'heldline.v1',
  `heldline.auth.${Buffer.from(token).toString('base64url')}`,
]

const heldline: Dialect = {
  marker: '{"serial":',
  path: '/v1/connect',
  protocols: ['heldline.v1'],
  options: { ...COMMON, headers: { authorization: `Bearer ${API_KEY}` } },
  isEvents: (frame) => startsWith(frame, '{"type":"events"'),
  opened: () => undefined,
  attach: (reader) => {
    const { position, catchup } = reader.options
    reader.ws.send(
      JSON.stringify({
        op: 'attach',
        ref: 'a',
        session: reader.session,
        ...(position !== undefined && { position }),
        ...(catchup !== undefined && { catchup }),
      }),
    )
  },
  control: (reader, text) => {
    const frame = JSON.parse(text) as HeldlineFrame
    const { position } = reader.options
    switch (frame.type) {
      case 'welcome':
        reader.ready()
        break
      case 'attached':
        if (frame.mode === 'resumed') reader.begin(serialOf(position ?? ''))
        break
      case 'snapshot':
        reader.options.onSnapshot?.(text)
        if (frame.last === true) reader.begin(serialOf(frame.position ?? ''))
        break
      case 'error':
      case 'reset':
      case 'goaway':
        reader.fail(new Error(`the server says ${text.slice(0, 300)}`))
        break
      default:
    }
  },
}

interface HeldlineFrame {
  readonly type: string
  readonly mode?: string
  readonly position?: string
  readonly last?: boolean
}

/** A ceiling: it says once that it is ready, then sends frames as Heldline's. */
const bare: Dialect = {
  ...heldline,
  path: '/',
  protocols: [],
  options: COMMON,
  control: (reader, text) => {
    if (!text.startsWith('{"type":"ready"')) heldline.control(reader, text)
    else if (reader.options.waitToAttach === true) reader.idle()
    else reader.begin(0)
  },
}

/** Engine.IO 4 over a WebSocket alone, which is what Socket.IO's own client ends up with. */
const socketIo: Dialect = {
  marker: '"n":',
  path: '/socket.io/?EIO=4&transport=websocket',
  protocols: [],
  options: COMMON,
  isEvents: (frame) => startsWith(frame, '42["m",'),
  opened: () => undefined,
  attach: (reader) => reader.ws.send(`40${reader.options.position ?? ''}`),
  control: (reader, text) => {
    if (text === '2') return reader.ws.send('3')
    if (text.startsWith('0{')) return reader.ready()
    if (text.startsWith('40{')) {
      reader.identity = (JSON.parse(text.slice(2)) as { pid?: string }).pid ?? ''
      // With state to recover, the server has put it back into its room; what it missed comes even before this.
      if (reader.options.position !== undefined) return reader.begin(reader.last)
      return reader.ws.send(`421["join",${JSON.stringify(reader.session)}]`)
    }
    if (text.startsWith('431[')) return reader.begin(0)
    if (text.startsWith('44')) reader.fail(new Error(`the server says ${text}`))
  },
}

const centrifuge: Dialect = {
  marker: '"offset":',
  path: '/connection/websocket',
  protocols: [],
  options: COMMON,
  isEvents: (frame) => startsWith(frame, '{"push":'),
  opened: (reader) => reader.ready(),
  attach: (reader) => {
    const recover = reader.options.position ?? ''
    const channel = `"channel":${JSON.stringify(reader.session)}${recover === '' ? '' : `,${recover}`}`
    reader.ws.send(`{"id":1,"connect":{}}\n{"id":2,"subscribe":{${channel}}}`)
  },
  control: (reader, text) => {
    for (const line of text.split('\n')) {
      if (line === '{}') reader.ws.send('{}')
      if (line.includes('"error"')) reader.fail(new Error(`the server says ${line}`))
      if (!line.startsWith('{"id":2,')) continue
      const reply = JSON.parse(line) as { subscribe: CentrifugeSubscribed }
      const { offset = 0, epoch = '', publications } = reply.subscribe
      reader.identity = epoch
      if (publications === undefined) reader.begin(reader.options.after ?? offset)
      else {
        reader.begin(reader.options.after ?? 0)
        reader.take(Buffer.from(JSON.stringify(publications)))
      }
    }
  },
}

interface CentrifugeSubscribed {
  readonly offset?: number
  readonly epoch?: string
  readonly publications?: readonly unknown[]
}

export const DIALECTS: Readonly<Record<Target['dialect'], Dialect>> = {
  heldline,
  bare,
  'socket.io': socketIo,
  centrifuge,
  nats,
}

export const serialOf = (position: string): number => Number(position.split('.').at(-2) ?? 0)

function startsWith(frame: Buffer, text: string): boolean {
  return frame.length >= text.length && frame.toString('latin1', 0, text.length) === text
}
