import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { write, type Chapter, type Style } from '../../examples/agents/watched.ts'
import { openRoom, textOf, type Room } from '../agent/support/setup.ts'
import { pause, until } from '../support/until.ts'

const root = join(import.meta.dirname, '../..')
const folder = join(root, 'examples/agents')
const python = await promisify(execFile)('python3', ['--version']).then(
  () => true,
  () => false,
)

/** `heldline/agent` as it is here, where nothing is built. */
const FROM_SOURCE = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier === 'heldline/agent' ? ${JSON.stringify(`file://${root}/src/agent/index.ts`)} : specifier, context),
  })
`)}`

describe('the examples of agents do what they say', () => {
  let room: Room
  let env: NodeJS.ProcessEnv
  const running: ChildProcess[] = []

  beforeAll(async () => {
    room = await openRoom()
    env = { ...process.env, HELDLINE_URL: room.server.url, HELDLINE_KEY: room.server.key }
    delete env['OPENAI_API_KEY']
  })
  afterAll(async () => {
    for (const child of running.filter(({ exitCode }) => exitCode === null)) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await room.close()
  })

  const run = async (command: string, ...args: string[]): Promise<string> =>
    (await promisify(execFile)(command, args, { env })).stdout

  const node = ['--disable-warning=ExperimentalWarning', '--import', FROM_SOURCE]

  test('curl: a run a trigger, to its end', async () => {
    const script = join(folder, 'curl.sh')
    expect(JSON.parse(await run('bash', script, 'by-curl', 'q1'))).toMatchObject({
      status: 'finished',
    })
    expect(await run('bash', script, 'by-curl', 'q1')).toContain('somebody else has it')
    expect((await room.messages('by-curl')).map(textOf)).toEqual(['Written with curl.'])
    expect((await room.ask('GET', '/sessions/by-curl/runs'))['runs']).toMatchObject([
      { agent: 'curl', step: 'thinking it over', status: 'finished', output: { with: 'curl' } },
    ])
  })

  test('curl without an SDK: what frameworks stream is piped into a run as it comes [P-10.13]', async () => {
    const script = join(folder, 'curl-stream.sh')
    const pipe = async (sent: string, ...args: string[]): Promise<unknown> =>
      JSON.parse(
        await run('bash', '-c', 'printf %s "$1" | "${@:2}"', 'pipe', sent, script, ...args),
      )
    const delta = (text: string) => ({ type: 'text-delta', id: '0', delta: text })
    const chunks = [delta('Streamed '), delta('with curl.')]
    const sse = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')
    const events = 'data: {"type":"TEXT_MESSAGE_CHUNK","messageId":"q","delta":"half"}\n\n'
    expect([
      await pipe('Plain text. 👀', 'streamed'),
      await pipe(`${sse}data: [DONE]\n\n`, 'streamed', 'ui-message-chunks'),
      await pipe(`${events}data: broken\n\n`, 'streamed', 'ag-ui'),
    ]).toMatchObject([{ status: 'finished' }, { status: 'finished' }, { status: 'failed' }])
    expect((await room.messages('streamed')).map(textOf)).toEqual([
      'Plain text. 👀',
      'Streamed with curl.',
      'half',
    ])
  })

  if (!python) test.skip('Python: there is no python3 here', () => undefined)
  else {
    test('Python, with its standard library alone', async () => {
      const script = join(folder, 'agent.py')
      expect(JSON.parse(await run('python3', script, 'by-python', 'q1'))).toMatchObject({
        status: 'finished',
      })
      expect(await run('python3', script, 'by-python', 'q1')).toContain('somebody else has it')
      expect((await room.messages('by-python')).map(textOf)).toEqual(['Written with Python. 🐍'])
    }, 20_000)
  }

  test('the AI SDK: answers what people send, with tools', async () => {
    const child = spawn(process.execPath, [...node, join(folder, 'ai-sdk.ts'), 'by-ai-sdk'], {
      env,
    })
    running.push(child)
    let said = ''
    child.stdout.on('data', (data: Buffer) => (said += data.toString()))
    child.stderr.on('data', (data: Buffer) => (said += data.toString()))
    await until('it serves', () => said.includes('answering'), { instead: () => said })
    await room.ask('POST', '/sessions/by-ai-sdk/inputs', {
      mode: 'queue',
      parts: [{ type: 'text', text: 'What time is it?' }],
    })
    const answer = async () => (await room.messages('by-ai-sdk'))[1]
    await until('it has answered', async () => (await answer())?.status === 'completed', {
      instead: () => said,
    })
    expect((await answer())?.parts).toMatchObject([
      { type: 'step-start' },
      { type: 'reasoning', text: 'I should look at the clock.' },
      { type: 'tool', name: 'clock', state: 'done', input: {}, output: expect.any(String) },
      { type: 'step-start' },
      { type: 'text', text: 'I have looked at the clock, and it is time for tea.' },
    ])
  }, 40_000)

  test('LangGraph: a graph asks over plain HTTP, and goes on with the answer (S2-11)', async () => {
    const working = run(process.execPath, ...node, join(folder, 'langgraph.ts'), 'by-langgraph')
    const open = async () => {
      const events = await room.events('by-langgraph').catch(() => [])
      const asked = events.find(({ type }) => type === 'question.asked')
      return asked?.data as { readonly question: string; readonly prompt: string } | undefined
    }
    await until('it asks', async () => (await open()) !== undefined)
    const { question, prompt } = (await open()) ?? { question: '', prompt: '' }
    expect(prompt).toBe('Shall I pay 5 €?')
    const path = `/sessions/by-langgraph/questions/${question}/answer`
    await room.ask('POST', path, { answer: true })
    expect(JSON.parse(await working)).toMatchObject({ status: 'finished' })
    const messages = await room.messages('by-langgraph')
    expect(messages.map(textOf)).toEqual(['Two pots of tea are 5 €.', 'Done: enjoy your tea.'])
    expect(messages[1]?.parts[0]).toMatchObject({
      type: 'tool',
      name: 'pay',
      state: 'done',
      output: { paid: 5 },
    })
    const [found] = (await room.ask('GET', '/sessions/by-langgraph/runs'))['runs'] as object[]
    expect(found).toMatchObject({ step: 'thank', checkpoint: { id: expect.any(String) } })
  }, 40_000)

  test('one that looks who is there: every word while somebody is, whole chapters while nobody is [S0-18]', async () => {
    const session = room.agent.session('watched')
    await session.open()
    const styles: Style[] = []
    const enter = () =>
      room.ask('PUT', '/sessions/watched/presence/tab', { kind: 'human', ttlMs: 60_000 })
    const leave = () =>
      fetch(`${room.server.url}/v1/sessions/watched/presence/tab`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${room.server.key}` },
      })
    async function* words(title: string): AsyncGenerator<string> {
      for (const word of [`${title} `, 'is ', 'this.']) {
        yield word
        await pause(30)
      }
    }
    async function* chapters(): AsyncGenerator<Chapter> {
      yield { title: 'one', words: words('one') }
      await enter()
      yield { title: 'two', words: words('two') }
      await leave()
      yield { title: 'three', words: words('three') }
      await enter()
      yield { title: 'four', words: words('four') }
    }
    const result = await session.run({ run: 'r1' }, (run) =>
      write(run, chapters(), (style) => styles.push(style)),
    )
    expect(result).toMatchObject({ status: 'finished', output: 4 })
    expect(styles).toEqual(['whole chapters', 'every word', 'whole chapters', 'every word'])
    const messages = await room.messages('watched')
    expect(messages.map(textOf)).toEqual(
      ['one', 'two', 'three', 'four'].map((title) => `${title} is this.`),
    )
    const deltas = (await room.events('watched')).filter(({ type }) => type === 'message.delta')
    const of = (id: string | undefined): number =>
      deltas.filter(({ data }) => (data as { message: string }).message === id).length
    expect(messages.map(({ id }) => of(id))).toEqual([1, 3, 1, 3])
    expect(await room.ask('GET', '/sessions/watched/runs/r1')).toMatchObject({
      step: 'four',
      checkpoint: { chapters: 4 },
    })
  })

  test('and it runs by itself', async () => {
    const out = await run(process.execPath, ...node, join(folder, 'watched.ts'), 'alone', 'ada')
    expect(out).toContain('whole chapters')
    expect(JSON.parse(out.trim().split('\n').at(-1) ?? '')).toMatchObject({ output: 3 })
    expect((await room.ask('GET', '/sessions/alone/deliveries'))['deliveries']).toMatchObject([
      { to: 'ada' },
    ])
  }, 20_000)
})
