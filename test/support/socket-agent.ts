/**
 * An agent as a process of its own, with a socket: it starts a run over HTTP, beats for it over a WebSocket several times a second, connects again where
 * that is lost, and writes as it goes. What it does it tells on its standard output, a line of JSON each.
 */
import { pause } from './until.ts'

const need = (name: string): string => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}
const run = need('RUN')
const session = need('SESSION')
const credential = need('CREDENTIAL')
const BEAT_EVERY_MS = 300
let beats = 0

function tell(fact: object): void {
  process.stdout.write(`${JSON.stringify(fact)}\n`)
}

async function post(path: string, body: object, headers: object = {}): Promise<Response> {
  return fetch(`${need('URL')}/v1/sessions/${session}/runs${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${credential}`,
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify(body),
  })
}

/** Beats over one socket until that is gone. */
function beatUntilLost(epoch: number): Promise<void> {
  const socket = new WebSocket(`${need('SOCKET_URL')}/v1/connect`, 'heldline.v1')
  const beat = (): void => {
    socket.send(JSON.stringify({ op: 'beat', ref: `b${beats}`, session, run, epoch }))
  }
  return new Promise((resolve) => {
    socket.addEventListener('open', () => {
      socket.send(JSON.stringify({ op: 'auth', ref: 'auth', token: credential }))
    })
    socket.addEventListener('message', ({ data }) => {
      const frame = JSON.parse(String(data)) as { type: string; ref?: string; code?: string }
      if (frame.type === 'error') tell({ refused: frame.code })
      if (frame.type === 'ok') tell({ beat: ++beats })
      if (frame.type === 'welcome') beat()
      if (frame.type === 'ok') setTimeout(beat, BEAT_EVERY_MS)
    })
    socket.addEventListener('close', () => resolve())
    socket.addEventListener('error', () => resolve())
  })
}

async function write(epoch: number): Promise<void> {
  for (let i = 0; ; i++) {
    await post(`/${run}/events`, { type: 'x.step', data: { i } }, { 'run-epoch': String(epoch) })
    await pause(200)
  }
}

const { epoch } = (await (await post('', { run })).json()) as { epoch: number }
if (process.env['WRITES'] !== undefined) void write(epoch)
for (;;) {
  await beatUntilLost(epoch)
  tell({ disconnected: beats })
  await pause(50)
}
