import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readPage } from './support/docs-example.ts'
import { startLocalServer, type LocalServer } from './support/local-server.ts'

const root = new URL('..', import.meta.url).pathname
const { example, text: page } = readPage('docs/branches.md')

/** For the processes of the examples. */
const UNTIL = `import { until } from '${new URL('./support/until.ts', import.meta.url).href}'`

interface Said {
  readonly id: string
  readonly parent: string | null
  readonly parts: readonly { readonly text?: string }[]
}

// In the order of the page: each builds on the ones before.
describe('the examples of docs/branches.md do what they say', () => {
  let server: LocalServer
  let folder: string
  let env: NodeJS.ProcessEnv

  beforeAll(async () => {
    server = await startLocalServer()
    folder = await mkdtemp(join(tmpdir(), 'heldline-docs-'))
    env = { ...process.env, HELDLINE_URL: server.url, HELDLINE_KEY: server.key }
    await ask('/sessions/chat-1', { method: 'PUT' })
  })
  afterAll(async () => {
    await server.close()
    await rm(folder, { recursive: true })
  })

  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${server.url}/v1${path}`, {
      ...init,
      headers: { authorization: `Bearer ${server.key}` },
    })
  const messages = async (): Promise<readonly Said[]> => {
    const { messages: said } = (await (await ask('/sessions/chat-1/messages')).json()) as {
      messages: readonly Said[]
    }
    return said
  }
  const sh = async (name: string): Promise<readonly string[]> => {
    const script = `set -e\n${example(name)}`
    const { stdout } = await promisify(execFile)('bash', ['-c', script], { env })
    return stdout.split(/(?<=\})(?=\{)/)
  }
  /** Runs a program around an example, with the sources in the place of the package. */
  const node = async (program: string): Promise<string> => {
    const file = join(folder, 'example.mjs')
    const local = program
      .replace(
        /import (\{.*\}) from 'heldline\/(\w+)'/g,
        (_, names: string, entry: string) =>
          `const ${names} = await import(${JSON.stringify(`${root}src/${entry}/index.ts`)})`,
      )
      .replaceAll('http://127.0.0.1:4400', server.url)
    await writeFile(file, local)
    const { stdout } = await promisify(execFile)(process.execPath, [file], { env })
    return stdout
  }

  test('an input has a message answered again, or puts another one in its place [P-16.5]', async () => {
    const answers = (await sh('fork')).map((text) => JSON.parse(text) as { outcome: string })
    expect(answers).toMatchObject([{ input: 'u1' }, { input: 'again' }, { input: 'u2' }])
    expect((await messages()).map(({ id, parent }) => [id, parent])).toEqual([
      ['u1', null],
      ['u2', null],
    ])
  })

  test('an agent knows the path to what it answers [P-16.6] [S3-11]', async () => {
    await node(`
      ${UNTIL}
      let asked = 0
      const done = Promise.withResolvers()
      async function* askYourModel(known) {
        yield known.map(({ parts }) => parts[0].text).join(' | ')
        if (++asked === 3) done.resolve()
      }
      ${example('agent')}
      await done.promise
      const watched = agent.session('chat-1')
      await until('all are answered', async () =>
        (await watched.messages()).filter(({ status }) => status === 'completed').length === 5)
      await agent.close()
      await serving`)
    const texts = (await messages()).map(({ parent, parts }) => [parent, parts[0]?.text])
    expect(texts.slice(2)).toEqual([
      ['u1', 'Name a tea.'],
      ['u1', 'Name a tea.'],
      ['u2', 'Name a coffee.'],
    ])
  })

  test('a path is a request [P-16.4] [S3-12]', async () => {
    const [, , first, second, third] = (await messages()).map(({ id }) => id)
    expect(first).toBeDefined()
    const paths = (await sh('path')).map((text) =>
      (JSON.parse(text) as { messages: readonly Said[] }).messages.map(({ id }) => id),
    )
    expect(paths).toEqual([['u1'], ['u1', second], ['u2', third]])
  })

  test('a page chooses among siblings, goes on from one, and asks all to look there [P-16.1] [P-16.7]', async () => {
    const before = await messages()
    const out = await node(`
      ${UNTIL}
      import { createClient } from 'heldline/client'
      const client = createClient({ url: 'http://127.0.0.1:4400', token: () => process.env.HELDLINE_KEY })
      const session = client.session('chat-1')
      session.attach()
      await until('all is there', () => session.messages.length === 5)
      const changed = (holds) => new Promise((resolve) => {
        const off = session.subscribe(() => { if (holds()) { off(); resolve() } })
        if (holds()) { off(); resolve() }
      })
      ${example('show').replace(
        'const shared',
        "await changed(() => session.sharedState.has('branch'))\nconst shared",
      )}
      console.log(JSON.stringify({ answers, first: first.id, shared }))
      client.close()`)
    const first = before[2]?.id
    expect(JSON.parse(out)).toEqual({ answers: 2, first, shared: first })
    expect((await messages()).at(-1)).toMatchObject({
      parent: first,
      parts: [{ text: 'Why that?' }],
    })
  })
})

test('every example that the page marks is run here', () => {
  const marked = [...page.matchAll(/<!-- run: (\S+) -->/g)].map((match) => match[1])
  expect(marked).toEqual(['fork', 'agent', 'path', 'show'])
})
