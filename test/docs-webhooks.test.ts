import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { startLocalServer } from './support/local-server.ts'
import { readPage } from './support/docs-example.ts'
import { until } from './support/until.ts'
import { WEBHOOK_SECRET } from './support/webhook-receiver.ts'

const root = new URL('..', import.meta.url).pathname
const { example, names } = readPage('docs/webhooks.md')

/** A URL that can be named before what answers there has started. */
async function door() {
  let url = ''
  const statuses: number[] = []
  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const headers = request.headers as Record<string, string>
    const answer = await fetch(url, { method: 'POST', headers, body: await buffer(request) })
    statuses.push(answer.status)
    response.writeHead(answer.status).end()
  }
  const server = createServer((request, response) => void pass(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const leadTo = (to: string): void => void (url = to)
  return { url: `http://127.0.0.1:${port}/hook`, leadTo, statuses }
}

/** The example as a process of its own, with the sources in the place of the package. @returns its lines */
async function start(env: NodeJS.ProcessEnv, url: string): Promise<string[]> {
  const folder = await mkdtemp(join(root, 'node_modules/.heldline-docs-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const program = `
    async function* askYourModel(known) { yield 'You said: ' + known.at(-1).parts[0].text }
    ${example('receiver')
      .replace("'heldline/agent'", JSON.stringify(`${root}src/agent/index.ts`))
      .replace('http://127.0.0.1:4400', url)
      .replace('listen(8080)', 'listen(0, () => console.log(receiver.address().port))')
      .replace('people.set(', 'console.log(type), people.set(')}`
  const file = join(folder, 'receiver.mjs')
  await writeFile(file, program)
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file], { env })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines: string[] = []
  child.stdout.on('data', (text: Buffer) => lines.push(...String(text).trim().split('\n')))
  child.stderr.on('data', (text: Buffer) => console.error(String(text)))
  await until('it listens', () => lines.length > 0)
  return lines
}

test('[P-17.1] [P-17.2] the receiver of docs/webhooks.md answers what nobody answers, and knows who is there', async () => {
  const { url, leadTo, statuses } = await door()
  const server = await startLocalServer({
    WEBHOOK_URL: url,
    WEBHOOK_SECRET,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_EVENTS: 'input.received,presence.attached,presence.empty',
    INPUT_WEBHOOK_AFTER_MS: '1',
  })
  onTestFinished(() => server.close())
  const env = { ...process.env, HELDLINE_KEY: server.key, WEBHOOK_SECRET }
  const lines = await start(env, server.url)
  leadTo(`http://127.0.0.1:${lines[0]}/`)

  const ask = async (method: string, path: string, body?: object) => {
    const authorization = `Bearer ${server.key}`
    const response = await fetch(`${server.url}/v1/sessions/chat-1${path}`, {
      method,
      headers: { authorization, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    expect(response.status, text).toBeLessThan(300)
    return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
  }
  await ask('PUT', '', {})
  await ask('PUT', '/presence/tab', { kind: 'human', ttlMs: 60_000 })
  await until('it knows that somebody is there', () => lines.includes('presence.attached'))
  const parts = [{ type: 'text', text: 'Hello' }]
  await ask('POST', '/inputs', { input: 'i1', mode: 'queue', parts })
  await until('it is answered', async () => {
    const { messages } = await ask('GET', '/messages')
    const texts = (messages as { parts: { text: string }[] }[]).map((one) => one.parts[0]?.text)
    return texts[1] === 'You said: Hello'
  })
  expect((await ask('GET', '/inputs'))['inputs']).toEqual([])
  await ask('DELETE', '/presence/tab')
  await until('it knows that nobody is left', () => lines.includes('presence.empty'))
  expect(new Set(statuses)).toEqual(new Set([204]))
  // What is not signed is not taken.
  const forged = await fetch(`http://127.0.0.1:${lines[0]}/`, { method: 'POST', body: '{}' })
  expect(forged.status).toBe(401)
})

test('every example that the page marks is run here', () => {
  expect(names).toEqual(['receiver'])
})
