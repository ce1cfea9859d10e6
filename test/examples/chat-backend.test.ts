import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { request as requestOf, type Server } from 'node:http'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AgentProcess } from '../../examples/chat/backend/agent-process.ts'
import { Inbox } from '../../examples/chat/backend/inbox.ts'
import { serve } from '../../examples/chat/backend/serve-page.ts'
import { nameOf } from '../../examples/chat/src/people.tsx'
import { openRoom, type Room } from '../agent/support/setup.ts'
import { until } from '../support/until.ts'

const FROM_SOURCE = [
  '--disable-warning=ExperimentalWarning',
  '--import',
  join(import.meta.dirname, '../../examples/chat/from-source.ts'),
]

interface Answered {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

describe('the backend of the chat', () => {
  const secret = `whsec_${randomBytes(32).toString('base64')}`
  let room: Room
  let agent: AgentProcess
  let server: Server
  let port: number

  beforeAll(async () => {
    room = await openRoom()
    const heldline = { url: room.server.url, key: room.server.key }
    agent = new AgentProcess(heldline, FROM_SOURCE, { OPENAI_API_KEY: '', AGENT_PACE: '1' }, 0)
    const parts = { heldline, agent, inbox: new Inbox(secret), model: 'scripted' }
    server = serve(parts, (_, response) => response.writeHead(404).end('{}'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    // A server on a port has such an address.
    port = (server.address() as AddressInfo).port
  })
  afterAll(async () => {
    server?.closeAllConnections()
    server?.close()
    await agent?.close()
    await room?.close()
  })

  /** As it is written: `fetch` would mend a path. */
  const ask = async (
    method: string,
    path: string,
    body = '',
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answered> => {
    const request = requestOf({ host: '127.0.0.1', port, method, path, headers })
    request.end(body)
    const [response] = await once(request, 'response')
    let text = ''
    for await (const piece of response) text += String(piece)
    return { status: response.statusCode, body: JSON.parse(text || '{}') }
  }
  const knock = (name: string) => ask('POST', '/api/join', JSON.stringify({ name }))

  test('a path that is none is refused, and everybody else goes on', async () => {
    expect((await ask('GET', '//')).status).toBe(400)
    expect((await ask('GET', '/api/nothing')).status).toBe(404)
  })

  test('people whose names have other letters are not the same person', async () => {
    const names = ['Ana Maria', 'Zoë', '李雷', '王伟', 'Ольга', 'Игорь']
    const joined = await Promise.all(names.map(knock))
    expect(joined.map(({ body }) => body['subject'])).toEqual([
      'user:ana-maria',
      'user:zoë',
      'user:李雷',
      'user:王伟',
      'user:ольга',
      'user:игорь',
    ])
    expect(joined.map(({ body }) => nameOf(String(body['subject'])))).toEqual(names)
  })

  test('what has not the form of a request is refused', async () => {
    const wrong = ['', '{', '[]', '{"name":" "}', '{"name":"Ana","session":"another-1"}']
    const answers = await Promise.all(wrong.map((body) => ask('POST', '/api/join', body)))
    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400, 400])
    expect((await ask('POST', '/api/harm', '{"agent":"shout"}')).status).toBe(400)
  })

  const hook = (body: object, by = secret): Promise<Answered> => {
    const text = JSON.stringify(body)
    const [id, at] = ['msg-1', new Date()]
    return ask('POST', '/api/hook', text, {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(by).sign(id, at, text),
    })
  }
  const mails = async (subject: string) =>
    (await ask('GET', `/api/inbox?subject=${subject}`)).body['mails']

  test('a letter is put in its inbox once, words or not; what is forged is refused, what is no letter is not kept', async () => {
    const about = { session: 'chat-1', run: 'r', serial: 9, at: 1000 }
    const finished = { type: 'run.finished', ...about, delivery: 'd1', to: 'user:ana' }
    const forged = `whsec_${randomBytes(32).toString('base64')}`
    expect((await hook({ ...finished, output: 'Forged' }, forged)).status).toBe(401)
    expect(await mails('user:ana')).toEqual([])
    for (const body of [
      { ...finished, output: 'Thursday' },
      { ...finished, output: 'Thursday' },
      { ...finished, delivery: 'd2', omitted: true },
      { ...finished, type: 'run.failed', delivery: 'd3', error: { message: 'No ship' } },
    ])
      expect(await hook(body)).toEqual({ status: 200, body: { taken: true } })
    const notice = { type: 'presence.empty', session: 'chat-1', notice: 'n', member: 'm' }
    expect(await hook(notice)).toEqual({ status: 200, body: { taken: false } })
    expect(await mails('user:ana')).toMatchObject([
      { id: 'd3', text: 'It could not be finished.' },
      { id: 'd2', text: 'It is too long for a letter: come and read it.' },
      { id: 'd1', text: 'Thursday', session: 'chat-1', at: 1000 },
    ])
  })

  test('an agent that is killed while it starts comes back, and answers; whether it is frozen is known to all [R6]', async () => {
    const harm = (agent: string) => ask('POST', '/api/harm', JSON.stringify({ agent }))
    const { body } = await knock('Ana')
    const session = String(body['session'])
    const starting = agent.start()
    await harm('kill')
    await starting
    await room.ask('POST', `/sessions/${session}/inputs`, {
      input: 'i1',
      mode: 'queue',
      parts: [{ type: 'text', text: 'Which night?' }],
    })
    await until('it is answered', async () => {
      const { runs } = await room.ask('GET', `/sessions/${session}/runs`)
      return (runs as { status: string }[])[0]?.status === 'finished'
    })
    const frozen = async () => (await ask('GET', '/api/agent')).body
    expect(await frozen()).toEqual({ frozen: false })
    expect((await harm('freeze')).body).toEqual({ frozen: true })
    expect(await frozen()).toEqual({ frozen: true })
    await harm('kill')
    await until('another one is there', async () => (await frozen())['frozen'] === false)
  }, 60_000)
})
