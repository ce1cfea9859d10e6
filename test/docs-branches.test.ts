import { beforeAll, describe, expect, test } from 'vitest'
import { readPage } from './support/docs-example.ts'
import { IMPORT_UNTIL, useExamples, type Said } from './support/run-examples.ts'

const page = readPage('docs/branches.md')
const { example } = page

// In the order of the page: each builds on the ones before.
describe('the examples of docs/branches.md do what they say', () => {
  const examples = useExamples(page)
  beforeAll(() => examples.ask('PUT', '/sessions/chat-1'))

  const messages = () => examples.messages('chat-1')
  const sh = async (name: string): Promise<readonly string[]> =>
    (await examples.sh(name)).split(/(?<=\})(?=\{)/)

  test('an input has a message answered again, or puts another one in its place [P-16.5]', async () => {
    const answers = (await sh('fork')).map((text) => JSON.parse(text) as { outcome: string })
    expect(answers).toMatchObject([{ input: 'u1' }, { input: 'again' }, { input: 'u2' }])
    expect((await messages()).map(({ id, parent }) => [id, parent])).toEqual([
      ['u1', null],
      ['u2', null],
    ])
  })

  test('an agent knows the path to what it answers [P-16.6] [S3-11]', async () => {
    await examples.node(`
      ${IMPORT_UNTIL}
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
    const out = await examples.node(`
      ${IMPORT_UNTIL}
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
  expect(page.names).toEqual(['fork', 'agent', 'path', 'show'])
})
