// The ceiling of a fan-out: frames of a given size, made once each and written to all sockets, as fast as they are taken.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Duplex } from 'node:stream'
import { bareWs, eventsText, eventText, ready, textFrame } from './bare-ws.ts'

interface Order {
  readonly eventsPerFrame: number
  readonly bytesPerEvent: number
}

const state = { running: false }
let serial = 0

const server = createServer()
const sockets = bareWs(server, () => (text) => {
  if (text === 'stop') state.running = false
  else void pump(JSON.parse(text) as Order)
})

async function pump({ eventsPerFrame, bytesPerEvent }: Order): Promise<void> {
  state.running = true
  serial = 0
  // The mean need not be whole: what is owed is carried on to the next frame.
  let owed = 0
  while (state.running) {
    owed += eventsPerFrame
    const count = Math.max(1, Math.floor(owed))
    owed -= count
    const frame = textFrame(eventsText('s', events(count, bytesPerEvent)))
    const full: Duplex[] = []
    for (const raw of sockets) {
      raw.write(frame)
      if (raw.writableNeedDrain) full.push(raw)
    }
    if (full.length > 0) await Promise.race([drained(full), gone()])
    else await new Promise(setImmediate)
  }
}

function events(count: number, bytes: number): string {
  const texts: string[] = []
  for (let i = 0; i < count; i++) {
    const bare = eventText(++serial, '"data":""}')
    texts.push(eventText(serial, `"data":"${'x'.repeat(Math.max(0, bytes - bare.length - 1))}"}`))
  }
  return texts.join(',')
}

async function drained(full: readonly Duplex[]): Promise<void> {
  const waiting = full.filter((raw) => raw.writableNeedDrain)
  await Promise.all(waiting.map((raw) => once(raw, 'drain')))
}

/** A socket that is closed meanwhile never drains. */
async function gone(): Promise<void> {
  while (sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 100))
}

ready(server)
