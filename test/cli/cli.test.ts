import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Io } from '../../src/cli/command.ts'
import { runCommand } from '../../src/cli/run.ts'
import { startLocalServer, type LocalServer } from '../support/local-server.ts'

describe('the command line', () => {
  let server: LocalServer
  beforeAll(async () => {
    server = await startLocalServer()
  })
  afterAll(() => server.close())

  /** Runs a command as a shell would. */
  async function heldline(
    args: readonly string[],
    options: { stdin?: string | Readable; stop?: AbortSignal; out?: string[] } = {},
  ) {
    const out = options.out ?? []
    const err: string[] = []
    const io: Io = {
      env: { HELDLINE_URL: server.url, HELDLINE_KEY: server.key },
      stdin:
        typeof options.stdin === 'object' ? options.stdin : Readable.from([options.stdin ?? '']),
      out: (line) => out.push(line),
      signal: options.stop ?? new AbortController().signal,
    }
    const code = await runCommand(args, io, (line) => err.push(line))
    return { code, out, err: err.join('\n') }
  }

  test('publishes a message, and tail tells it', async () => {
    const published = await heldline(['publish', 'cli-1', 'Hello', '--create'])
    expect(published).toMatchObject({ code: 0 })
    expect(JSON.parse(published.out[0] ?? '')).toMatchObject({
      session: 'cli-1',
      first: 2,
      last: 2,
    })
    const tailed = await heldline(['tail', 'cli-1', '--no-follow'])
    const types = tailed.out.map((line) => (JSON.parse(line) as { type: string }).type)
    expect(types).toEqual(['session.created', 'message.completed'])
    expect((await heldline(['tail', 'cli-1', '--no-follow', '--text'])).out).toEqual(['Hello'])
  })

  test('publishes lines from standard input in their order', async () => {
    const lines = Array.from({ length: 250 }, (_, n) => JSON.stringify({ type: 'x.n', data: n }))
    const published = await heldline(['publish', 'cli-2', '--stdin', '--create'], {
      stdin: lines.join('\n'),
    })
    expect(published.code).toBe(0)
    const tailed = await heldline(['tail', 'cli-2', '--no-follow', '--after', '1'])
    expect(tailed.out.map((line) => (JSON.parse(line) as { data: number }).data)).toEqual(
      Array.from({ length: 250 }, (_, n) => n),
    )
  })

  test('publishes a line of standard input when it comes: an agent that writes on is seen to', async () => {
    await heldline(['publish', 'cli-slow', 'x', '--create'])
    const stdin = new PassThrough()
    const out: string[] = []
    const publishing = heldline(['publish', 'cli-slow', '--stdin'], { stdin, out })
    const write = async (word: string, serial: number): Promise<void> => {
      stdin.write(`{"type":"x.word","data":"${word}"}\n`)
      await expect.poll(() => out.at(-1)).toContain(`"last":${serial},`)
    }
    await write('one', 3)
    await write('two', 4)
    stdin.end()
    expect(await publishing).toMatchObject({ code: 0 })
  })

  test('publishes what came before a line that is wrong, and says which one that is', async () => {
    await heldline(['publish', 'cli-wrong', 'x', '--create'])
    const stdin = '{"type":"x.a","data":1}\n\n{"type":"x.a","data":2}\nnonsense\n'
    const published = await heldline(['publish', 'cli-wrong', '--stdin'], { stdin })
    expect(published).toMatchObject({
      code: 1,
      err: expect.stringContaining('line 4 is not JSON'),
    })
    expect(JSON.parse(published.out[0] ?? '')).toMatchObject({ first: 3, last: 4 })
  })

  test('stops reading where a line is refused, though the next one is long in coming', async () => {
    const stdin = new PassThrough()
    stdin.write('{"type":"x.a"}\n')
    const published = await heldline(['publish', 'no-such-session', '--stdin'], { stdin })
    expect(published).toMatchObject({
      code: 1,
      err: expect.stringContaining('session_not_found'),
    })
  })

  test('follows on over a proxy that is without its server for a while, and an answer that breaks off', async () => {
    const page = (serial: number): string =>
      JSON.stringify({ events: [{ serial }], position: `e.${serial}.t`, more: false })
    const answers: RequestListener[] = [
      (_, response) => response.end(page(1)),
      (_, response) => response.writeHead(503).end('<h1>No server is available</h1>'),
      (_, response) => {
        response.writeHead(200, { 'content-length': 1000 }).write('{"events":[')
        setImmediate(() => response.destroy())
      },
      (_, response) => response.end(page(2)),
    ]
    const asked: (string | undefined)[] = []
    const proxy = createServer((request, response) => {
      asked.push(request.url)
      answers.shift()?.(request, response)
    }).listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    onTestFinished(() => {
      proxy.closeAllConnections()
      proxy.close()
    })
    // It listens at an address of IP.
    const { port } = proxy.address() as AddressInfo
    const [out, stop]: [string[], AbortController] = [[], new AbortController()]
    const args = ['tail', 'followed', '--url', `http://127.0.0.1:${port}`]
    const following = heldline(args, { out, stop: stop.signal })
    await expect.poll(() => out, { timeout: 10_000 }).toEqual(['{"serial":1}', '{"serial":2}'])
    stop.abort()
    expect(await following).toMatchObject({ code: 0, err: '' })
    expect(asked.slice(1, 4).every((url) => url?.includes('after=e.1.t&'))).toBe(true)
  })

  test('follows a session until it is stopped (S1-13)', async () => {
    await heldline(['publish', 'cli-3', 'first', '--create'])
    const stop = new AbortController()
    const following = heldline(['tail', 'cli-3', '--text'], { stop: stop.signal })
    await heldline(['publish', 'cli-3', 'second'])
    await heldline(['publish', 'cli-3', 'third'])
    await expect
      .poll(async () => (await heldline(['tail', 'cli-3', '--no-follow', '--text'])).out)
      .toEqual(['first', 'second', 'third'])
    stop.abort()
    expect(await following).toMatchObject({ code: 0, err: '' })
  })

  test('lists sessions by prefix, over more than one page', async () => {
    for (let n = 0; n < 5; n++) await heldline(['publish', `listed-${n}`, 'x', '--create'])
    const listed = await heldline(['sessions', '--prefix', 'listed-'])
    const ids = listed.out.map((line) => (JSON.parse(line) as { session: string }).session)
    expect(ids.toSorted()).toEqual(['listed-0', 'listed-1', 'listed-2', 'listed-3', 'listed-4'])
  })

  test('mints a token that reads its session and no other', async () => {
    await heldline(['publish', 'cli-4', 'mine', '--create'])
    const minted = await heldline([
      'token',
      '--subject',
      'ada',
      '--session',
      'cli-4',
      '--ttl',
      '5m',
    ])
    const token = minted.out[0] ?? ''
    expect(
      (await heldline(['tail', 'cli-4', '--no-follow', '--text', '--key', token])).out,
    ).toEqual(['mine'])
    const other = await heldline(['tail', 'cli-1', '--no-follow', '--key', token])
    expect(other.code).toBe(1)
    expect(other.err).toContain('session_not_found')
  })

  test('takes a token back by itself, by its id, and by its subject [P-6.8]', async () => {
    await heldline(['publish', 'cli-5', 'mine', '--create'])
    const mint = async (): Promise<string> => {
      const minted = await heldline(['token', '--subject', 'eve', '--session', 'cli-5'])
      return minted.out[0] ?? ''
    }
    const reads = async (token: string): Promise<string> =>
      (await heldline(['tail', 'cli-5', '--no-follow', '--text', '--key', token])).err
    const [one, two, three] = [await mint(), await mint(), await mint()]
    const jti = (JSON.parse(atob(two.split('.')[1] ?? '')) as { jti: string }).jti
    expect((await heldline(['token', 'revoke', '--token', one])).code).toBe(0)
    const { out } = await heldline(['token', 'revoke', '--jti', jti])
    expect(JSON.parse(out[0] ?? '')).toMatchObject({ jti, keptUntil: expect.any(Number) })
    expect([await reads(one), await reads(two)].join()).toMatch(/invalid_token.*invalid_token/s)
    expect(await reads(three)).toBe('')
    expect((await heldline(['token', 'revoke', '--subject', 'eve'])).code).toBe(0)
    expect(await reads(three)).toContain('invalid_token')
  })

  test.each([
    [['token', 'revoke'], 1, 'name one of --jti, --token and --subject'],
    [['token', 'revoke', '--jti', 'a', '--subject', 'b'], 1, 'name one of'],
    [['token', 'revoke', '--token', 'no-token'], 1, 'that is no token'],
    [['token', 'revoke', '--token', 'a.e30.c'], 1, 'the token has no jti'],
    [['frobnicate'], 2, 'there is no command frobnicate'],
    [['tail'], 1, 'name a session'],
    [['publish', 'cli-1'], 1, 'give a text'],
    [['publish', 'cli-1', '--type', 'x.a', '--data', '{'], 1, 'that is not JSON'],
    [['token', '--subject', 'ada'], 1, '--session are needed'],
    [
      ['token', '--subject', 'a', '--session', 'b', '--ttl', 'soon'],
      1,
      'unable to read the duration',
    ],
    [['tail', 'cli-1', '--nonsense'], 1, "Unknown option '--nonsense'"],
    [['tail', 'no-such-session', '--no-follow'], 1, 'session_not_found'],
    [['sessions', '--key', 'test:wrong'], 1, 'unauthenticated'],
    [['sessions', '--url', 'http://127.0.0.1:1'], 1, 'is the server running?'],
    [['tail', 'cli-1', '--url', 'http://127.0.0.1:1'], 1, 'is the server running?'],
    [['sessions', '--url', 'localhost:4400'], 1, 'write it as http://'],
    [['sessions', '--url', 'nonsense'], 1, 'write it as http://'],
  ])('says what is wrong with %j', async (args, code, words) => {
    const result = await heldline(args)
    expect(result.err).toContain(words)
    expect(result.code).toBe(code)
  })

  test('explains every command', async () => {
    const help = (await heldline(['--help'])).out.join('\n')
    for (const name of ['serve', 'token', 'sessions', 'tail', 'publish'])
      expect(help).toContain(`  ${name} `)
    for (const name of ['token', 'sessions', 'tail', 'publish']) {
      const { code, out } = await heldline([name, '--help'])
      expect(code).toBe(0)
      expect(out.join('\n')).toContain('--url')
    }
  })
})
