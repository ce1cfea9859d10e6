import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { readPage } from './support/docs-example.ts'
import { useExamples } from './support/run-examples.ts'

const root = new URL('..', import.meta.url).pathname
const readme = readPage('README.md')
const { example } = readme

// In the order of the page: each builds on the ones before, as for somebody who reads it.
describe('the examples of the README do what they say', () => {
  const examples = useExamples(readme)
  const { sh, node } = examples

  beforeAll(async () => {
    const npx = `#!/bin/sh\nshift\nexec "${process.execPath}" --disable-warning=ExperimentalWarning "${root}src/main.ts" "$@"\n`
    await writeFile(join(examples.folder, 'npx'), npx, { mode: 0o755 })
  })

  const texts = async (session: string): Promise<string[]> =>
    (await examples.messages(session)).map(({ parts }) =>
      parts.map(({ text }) => text ?? '').join(''),
    )

  test('an agent publishes with curl', async () => {
    await sh('publish')
    expect(await texts('chat-1')).toEqual(['Hello there.'])
  })

  test('a client follows, and sends', async () => {
    const out = await node(`
      const rendered = []
      const fetchTokenFromYourBackend = async () => {
        const response = await fetch(process.env.HELDLINE_URL + '/v1/tokens', {
          method: 'POST',
          headers: { authorization: 'Bearer ' + process.env.HELDLINE_KEY, 'content-type': 'application/json' },
          body: JSON.stringify({ subject: 'ada', sessions: ['chat-1'], capabilities: ['subscribe', 'send'], ttlMs: 60000 }),
        })
        return (await response.json()).token
      }
      const render = (messages) => rendered.push(messages.length)
      ${example('follow')}
      console.log(JSON.stringify(session.messages.map((message) => message.parts[0].text)))
      client.close()`)
    expect(JSON.parse(out)).toEqual(['Hello there.', 'Thanks!'])
    expect(await texts('chat-1')).toEqual(['Hello there.', 'Thanks!'])
  })

  test('a backend mints a token', async () => {
    const minted = JSON.parse(await sh('token')) as { token: string; subject: string }
    expect(minted.subject).toBe('user-42')
    const headers = { authorization: `Bearer ${minted.token}` }
    expect(
      (await fetch(`${examples.server.url}/v1/sessions/chat-1/messages`, { headers })).status,
    ).toBe(200)
  })

  test('an agent works in a run', async () => {
    const out = await node(`
      const mails = []
      const sendMail = (found) => void mails.push(found)
      async function* askYourModel({ abortSignal }) {
        if (!(abortSignal instanceof AbortSignal)) throw new Error('no signal')
        yield* ['Tea ', 'is ', 'simple.']
      }
      ${example('agent')}
      console.log(JSON.stringify({ result, mails }))`)
    const found = ['leaves', 'water']
    expect(JSON.parse(out)).toMatchObject({
      result: { started: true, status: 'finished', output: { found } },
      mails: [found],
    })
    expect((await texts('chat-1')).slice(-2)).toEqual(['Tea is simple.', ''])
  })

  test('an agent streams lines', async () => {
    const lines = (await sh('ndjson')).trim().split('\n')
    expect(JSON.parse(lines.at(-1) ?? '')).not.toHaveProperty('error')
    expect((await texts('chat-1')).at(-1)).toBe('token by token')
  })

  test('anybody with the right reads it back', async () => {
    const out = await sh('read')
    expect(out).toContain('"position"')
    expect(out).toContain('message.delta')
    expect(out).toContain('"attached"')
  })

  test('an agent runs, and is cancelled', async () => {
    const out = await sh('runs')
    expect(out).toContain('"created":true')
    expect(out).toContain('"live":true')
    expect(out).toContain('"cancelled":true')
    expect((await texts('chat-1')).at(-1)).toBe('Let me look')
  })

  test('and the command line does the same', async () => {
    const out = await sh('cli')
    expect(out).toContain('Is anybody there?')
    expect((await texts('chat-1')).at(-1)).toBe('Is anybody there?')
  }, 30_000)
})

test('every example that the README marks is run here', () => {
  expect(readme.names).toEqual([
    'publish',
    'follow',
    'token',
    'agent',
    'ndjson',
    'read',
    'runs',
    'cli',
  ])
})

test('every link of the pages leads to something', async () => {
  const pages = [
    'README.md',
    'ARCHITECTURE.md',
    'PROTOCOL.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    'docs/durability.md',
    'docs/audit.md',
    'docs/agents.md',
    'docs/ai-sdk.md',
    'docs/ai-sdk-faces.md',
    'docs/branches.md',
    'docs/metrics.md',
    'docs/react.md',
    'docs/scale.md',
    'docs/proxies.md',
    'docs/webhooks.md',
  ]
  for (const page of pages) {
    const text = await readFile(join(root, page), 'utf8')
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      const path = join(root, page, '..', target)
      const found = await readFile(path).then(
        () => true,
        (error: NodeJS.ErrnoException) => error.code === 'EISDIR',
      )
      expect(found, `${page} names ${target}`).toBe(true)
    }
  }
})

test('the pages that the README names, and the settings that the command names, are in the package', async () => {
  const { stdout } = await promisify(execFile)(
    'npm',
    ['pack', '--dry-run', '--ignore-scripts', '--json'],
    { cwd: root },
  )
  // npm's own answer.
  const [{ files }] = JSON.parse(stdout) as [{ files: readonly { path: string }[] }]
  const text = await readFile(join(root, 'README.md'), 'utf8')
  const named = [...text.matchAll(/\]\((docs\/[\w-]+\.md)/g)].map((match) => match[1] ?? '')
  expect(named.length).toBeGreaterThan(8)
  const packed = files.map(({ path }) => path)
  expect(packed).toEqual(expect.arrayContaining([...named, '.env.example', 'PROTOCOL.md']))
})

test('every file that the map of the code names is there', async () => {
  const map = await readFile(join(root, 'ARCHITECTURE.md'), 'utf8')
  const named = [...map.matchAll(/`((?:src|test)\/[\w/.-]+\.ts)`/g)].map((match) => match[1] ?? '')
  expect(named.length).toBeGreaterThan(10)
  for (const path of named) await expect(readFile(join(root, path)), path).resolves.toBeDefined()
})
