/**
 * An agent as a process of its own, as people write one: `heldline/agent`, with whatever it does by itself. It starts a run and goes on writing. What
 * becomes of it, and how often it wrote, it tells on its standard output, a line of JSON each.
 */
import { createAgent } from '../../src/agent/index.ts'
import { pause } from './until.ts'

const need = (name: string): string => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}

function tell(fact: object): void {
  process.stdout.write(`${JSON.stringify(fact)}\n`)
}

let beat = 0
/** Tells of each beat that was answered. */
class HeardSocket extends WebSocket {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols)
    this.addEventListener('message', ({ data }) => {
      if (String(data).includes('"live":true')) tell({ beat: ++beat })
    })
  }
}

const agent = createAgent({ url: need('URL'), apiKey: need('CREDENTIAL'), socket: HeardSocket })
const result = await agent.session(need('SESSION')).run({ run: need('RUN') }, async (run) => {
  for (let wrote = 1; !run.signal.aborted; wrote++) {
    await run.text(`${wrote} `)
    await run.flush()
    tell({ wrote })
    await pause(200)
  }
})
tell({ result: result.status })
