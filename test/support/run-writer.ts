/**
 * An agent as a process of its own, by plain HTTP: it starts or adopts a run, beats, and goes on writing one message until it is told to finish, or
 * refused. What it does it tells on its standard output, a line of JSON each.
 */
import { createInterface } from 'node:readline'
import { pause } from './until.ts'

const need = (name: string): string => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}
const name = need('AGENT')
const run = need('RUN')
const runs = `/v1/sessions/${need('SESSION')}/runs`
const urls = need('URLS').split(',')
const ANSWER_WITHIN_MS = 3000
const PACE_MS = Number(process.env['PACE_MS'] ?? 20)

let turn = 0
let epoch = 0
/** What it was told. */
const wish = { finish: false }

function tell(fact: object): void {
  process.stdout.write(`${JSON.stringify(fact)}\n`)
}

/** Asks until somebody answers, one node after the other, each time the very same. What is refused for good ends the process. */
async function post(path: string, body: object): Promise<Record<string, unknown>> {
  for (;;) {
    try {
      const response = await fetch(`${urls[turn % urls.length] ?? ''}${runs}${path}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${need('CREDENTIAL')}`,
          'content-type': 'application/json',
          ...(epoch > 0 && { 'run-epoch': String(epoch) }),
        },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      })
      const content = (await response.json()) as Record<string, unknown>
      if (response.ok) return content
      if (content['retryable'] !== true) {
        tell({ refused: content['code'] })
        process.exit(0)
      }
    } catch {
      // Nobody there, or no answer: the next one is asked.
    }
    turn++
    await pause(50)
  }
}

async function beat(): Promise<void> {
  for (;;) {
    await pause(1000)
    await post(`/${run}/heartbeat`, {})
  }
}

async function write(): Promise<void> {
  const message = `m-${run}`
  if (epoch === 1) {
    const data = { message, role: 'assistant' }
    await post(`/${run}/events`, { type: 'message.started', id: `${name}-start`, data })
  }
  for (let i = 0; !wish.finish; i++) {
    const id = `${name}-${i}`
    await post(`/${run}/events`, { type: 'message.delta', id, data: { message, text: `${id} ` } })
    tell({ wrote: id })
    await pause(PACE_MS)
  }
  await post(`/${run}/finish`, { output: { by: name } })
  tell({ finished: run })
  process.exit(0)
}

createInterface({ input: process.stdin }).on('line', () => {
  wish.finish = true
})

const held =
  process.env['ADOPT'] === undefined
    ? await post('', {
        run,
        trigger: `t-${run}`,
        producer: name,
        leaseMs: Number(need('LEASE_MS')),
      })
    : await post(`/${run}/adopt`, { producer: name })
epoch = Number(held['epoch'])
tell({ epoch })
await Promise.race([beat(), write()])
