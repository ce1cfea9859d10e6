import type { lookup } from 'node:dns'
import type { ServerResponse } from 'node:http'
import { Webhook, WebhookVerificationError } from 'standardwebhooks'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import type { WebhookOutcome } from '../../src/core/webhook.ts'
import { HttpWebhookSender, type SenderOptions } from '../../src/webhooks/sender.ts'
import { until } from '../support/until.ts'
import { WEBHOOK_SECRET, WebhookReceiver, type Heard } from '../support/webhook-receiver.ts'

const OTHER_SECRET = `whsec_${Buffer.from('another-secret-of-thirty-two-bytes').toString('base64')}`
const MESSAGE = { id: 'Delivery-1', body: '{"type":"run.finished","output":"Grüße 🎈"}' }

let receiver: WebhookReceiver

beforeEach(async () => {
  receiver = await WebhookReceiver.start()
})

afterEach(() => receiver?.down())

function sender(change: Partial<SenderOptions> = {}): HttpWebhookSender {
  return new HttpWebhookSender({
    url: receiver.url,
    secrets: [new Secret(WEBHOOK_SECRET)],
    allowPrivate: true,
    clock: { now: () => Date.now() },
    ...change,
  })
}

function send(change: Partial<SenderOptions> = {}, signal?: AbortSignal): Promise<WebhookOutcome> {
  return sender(change).send(MESSAGE, signal ?? new AbortController().signal)
}

/** @throws WebhookVerificationError by the public library */
function verify({ body, headers }: Heard, secret = WEBHOOK_SECRET): unknown {
  return new Webhook(secret).verify(body, headers as Record<string, string>)
}

const failed = (reason: string, retryAfterMs: number | null = null): WebhookOutcome => ({
  kind: 'failed',
  reason,
  retryAfterMs,
})

/** A resolver that knows one name, and counts. */
function resolver(...addresses: readonly string[]): { asked: string[]; resolve: typeof lookup } {
  const asked: string[] = []
  const resolve = (
    name: string,
    _: unknown,
    done: (error: null, found: { address: string; family: number }[]) => void,
  ): void => {
    asked.push(name)
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
  }
  // Of its many forms only the one that is called.
  return { asked, resolve: resolve as unknown as typeof lookup }
}

describe('[P-15.2] [R17] what is sent', () => {
  test('arrives as it is, and the public library finds it signed', async () => {
    expect(await send()).toEqual({ kind: 'taken' })
    const [heard] = receiver.heard
    expect(heard).toMatchObject({
      method: 'POST',
      path: '/hook',
      body: MESSAGE.body,
      headers: { 'webhook-id': 'Delivery-1', 'content-type': 'application/json' },
    })
    expect(verify(heard as Heard)).toEqual(JSON.parse(MESSAGE.body))
  })

  test('is signed with each of two secrets while one is changed, and with no other', async () => {
    await send({ secrets: [new Secret(OTHER_SECRET), new Secret(WEBHOOK_SECRET)] })
    const heard = receiver.heard[0] as Heard
    expect(verify(heard)).toEqual(verify(heard, OTHER_SECRET))
    const stranger = `whsec_${Buffer.from('a-secret-that-nobody-signed-with!').toString('base64')}`
    expect(() => verify(heard, stranger)).toThrow(WebhookVerificationError)
    expect(() => verify({ ...heard, body: `${heard.body} ` })).toThrow(WebhookVerificationError)
  })
})

describe('[P-15.2] what becomes of it', () => {
  test.for([200, 201, 202, 204, 299])('%i takes it', async (status) => {
    receiver.replies = status
    expect(await send()).toEqual({ kind: 'taken' })
  })

  test.for([400, 401, 404, 500, 503])('%i is a failed try', async (status) => {
    receiver.replies = status
    expect(await send()).toEqual(failed(`status_${status}`))
  })

  test('410 refuses it for good', async () => {
    receiver.replies = 410
    expect(await send()).toEqual({ kind: 'refused', reason: 'status_410' })
  })

  test('Retry-After is read as seconds or as a date, and else left out', async () => {
    const after = (text: string): Promise<WebhookOutcome> => {
      receiver.replies = (response) => response.writeHead(429, { 'retry-after': text }).end()
      return send({ clock: { now: () => Date.parse('2026-01-01T00:00:00Z') } })
    }
    expect(await after('120')).toEqual(failed('status_429', 120_000))
    expect(await after('Thu, 01 Jan 2026 00:01:00 GMT')).toEqual(failed('status_429', 60_000))
    expect(await after('Wed, 31 Dec 2025 00:01:00 GMT')).toEqual(failed('status_429', 0))
    expect(await after('soon')).toEqual(failed('status_429'))
  })

  test.for([301, 302, 303, 307, 308])('a redirect (%i) is not followed', async (status) => {
    receiver.replies = (response) =>
      response.writeHead(status, { location: receiver.url.replace('hook', 'elsewhere') }).end()
    expect(await send()).toEqual(failed(`status_${status}`))
    expect(receiver.heard.map(({ path }) => path)).toEqual(['/hook'])
  })

  test('a receiver that does not answer is given up', async () => {
    receiver.replies = () => undefined
    expect(await send({ timeoutMs: 100 })).toEqual(failed('timeout'))
    expect(receiver.heard).toHaveLength(1)
  })

  test('a receiver that sends its answer’s head for ever is given up', async () => {
    receiver.replies = (response) => response.writeProcessing()
    expect(await send({ timeoutMs: 100 })).toEqual(failed('timeout'))
  })

  test('an answer without end is taken by its head, and cut off', async () => {
    let endless: ServerResponse | null = null
    receiver.replies = (response) => {
      endless = response
      response.writeHead(200)
      const more = (): void => {
        if (!response.destroyed) response.write('x'.repeat(8192), () => setImmediate(more))
      }
      more()
    }
    expect(await send()).toEqual({ kind: 'taken' })
    await until('it is cut off', () => endless?.destroyed === true)
  })

  test('a receiver that is down is a failed try', async () => {
    await receiver.down()
    expect(await send()).toEqual(failed('econnrefused'))
  })

  test('a receiver that speaks no TLS where it should is a failed try', async () => {
    const outcome = await send({ url: receiver.url.replace('http:', 'https:') })
    expect(outcome).toMatchObject({ kind: 'failed', reason: expect.stringMatching(/ssl|eproto/) })
    expect(receiver.heard).toEqual([])
  })

  test('a node that goes down cuts it off', async () => {
    receiver.replies = () => undefined
    const ending = new AbortController()
    const outcome = send({}, ending.signal)
    await until('it is heard', () => receiver.heard.length === 1)
    ending.abort()
    expect((await outcome).kind).toBe('failed')
  })
})

describe('[P-15.2] addresses that are not of the internet', () => {
  test.for([
    '127.0.0.1',
    'localhost',
    '2130706433',
    '0x7f000001',
    '127.1',
    '0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::]',
    '169.254.169.254',
    '10.0.0.1',
    '192.168.0.1',
    '[fd00:ec2::254]',
    '[fe80::1]',
  ])('http://%s is refused before anything is sent', async (host) => {
    const url = `http://${host}:${receiver.port}/hook`
    expect(await send({ url, allowPrivate: false })).toEqual(failed('address_refused'))
    expect(receiver.heard).toEqual([])
  })

  test.for([
    ['loopback', ['127.0.0.1']],
    ['mapped loopback', ['::ffff:127.0.0.1']],
    ['a public address and a private one', ['1.1.1.1', '10.0.0.1']],
    ['no address at all', []],
  ] as const)('a name that leads to %s is refused', async ([, addresses]) => {
    const { asked, resolve } = resolver(...addresses)
    const url = `http://hooks.example:${receiver.port}/hook`
    expect(await send({ url, resolve, allowPrivate: false })).toEqual(failed('address_refused'))
    expect(asked).toEqual(['hooks.example'])
    expect(receiver.heard).toEqual([])
  })

  test('a name is resolved once, and the connection goes to what was looked at', async () => {
    const { asked, resolve } = resolver('127.0.0.1')
    const url = `http://hooks.example:${receiver.port}/hook`
    expect(await send({ url, resolve })).toEqual({ kind: 'taken' })
    expect(asked).toEqual(['hooks.example'])
    expect(receiver.heard[0]?.headers.host).toBe(`hooks.example:${receiver.port}`)
  })

  test('a name that nobody knows is a failed try', async () => {
    const resolve = vi.fn((_: string, __: unknown, done: (error: Error) => void) => {
      done(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }))
    })
    const url = 'http://hooks.example/hook'
    // Of its many forms only the one that is called.
    const outcome = await send({ url, resolve: resolve as unknown as typeof lookup })
    expect(outcome).toEqual(failed('enotfound'))
  })
})
