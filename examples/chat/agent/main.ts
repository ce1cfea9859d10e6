// The agent's process: it answers in every session that it is told of, and goes on with what an earlier process of it left.
//
//   HELDLINE_URL=http://127.0.0.1:4400 HELDLINE_KEY=id:secret node examples/chat/agent/main.ts
//
// With OPENAI_API_KEY it asks a model; without, a scripted one that is built in.
import { createOpenAI } from '@ai-sdk/openai'
import { createAgent } from 'heldline/agent'
import { AGENT, PREFIX } from '../backend/names.ts'
import { answer, type Answering } from './answer.ts'
import { scriptedModel } from './scripted-model.ts'

const {
  HELDLINE_URL = 'http://127.0.0.1:4400',
  HELDLINE_KEY = '',
  OPENAI_API_KEY = '',
  OPENAI_MODEL = 'gpt-5-mini',
  /** Everything the scripted one does takes so many hundredths of its time. */
  AGENT_PACE = '100',
  /** Short, so that whoever breaks it sees soon that it is stalled, then lost, then back. */
  AGENT_LEASE_MS = '10000',
} = process.env

const pace = Number(AGENT_PACE) / 100
const how: Answering = {
  model:
    OPENAI_API_KEY === ''
      ? scriptedModel(34 * pace)
      : createOpenAI({ apiKey: OPENAI_API_KEY })(OPENAI_MODEL),
  paceMs: 700 * pace,
}

const leaseMs = Number(AGENT_LEASE_MS)

const agent = createAgent({ url: HELDLINE_URL, apiKey: HELDLINE_KEY })
const followed = new Set<string>()

function follow(id: string): void {
  if (followed.has(id)) return
  followed.add(id)
  const session = agent.session(id)
  const onError = (error: unknown): void => console.error(`${id}: ${String(error)}`)
  const options = { agent: AGENT, leaseMs, onError, deliverTo: 'sender' } as const
  // It ends where the session is removed; one of that name may come again.
  session
    .serve(options, (run) => answer(run, how))
    .catch(onError)
    .finally(() => followed.delete(id))
}

async function followEarlier(): Promise<void> {
  const headers = { authorization: `Bearer ${HELDLINE_KEY}` }
  let cursor: string | null = ''
  while (cursor !== null) {
    const list = new URL(`/v1/sessions?prefix=${PREFIX}&limit=100`, HELDLINE_URL)
    if (cursor !== '') list.searchParams.set('cursor', cursor)
    const answered = await fetch(list, { headers })
    if (!answered.ok) throw new Error(`unable to list the sessions: ${await answered.text()}`)
    // Heldline's own answer.
    const page = (await answered.json()) as Sessions
    for (const { session } of page.sessions) follow(session)
    cursor = page.cursor
  }
}

interface Sessions {
  readonly sessions: readonly { readonly session: string }[]
  /** `null`: there are no more. */
  readonly cursor: string | null
}

process.on('message', (message) => {
  if (typeof message === 'object' && message !== null && 'session' in message) {
    follow(String(message.session))
  }
})
process.once('disconnect', () => void agent.close())
process.once('SIGTERM', () => void agent.close().then(() => process.exit(0)))

await followEarlier()
process.send?.('ready')
