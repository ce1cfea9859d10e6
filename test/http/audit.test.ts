import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AUDIT_ACTS } from '../../src/core/audit.ts'
import type { LogFields } from '../../src/core/log.ts'
import { createLogs } from '../../src/observe/log.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import { startHttp, type HttpServer } from './http-server.ts'

let server: HttpServer

beforeAll(async () => {
  const keptUntil = 1_790_000_000_000
  const revocations = {
    has: () => false,
    onRevoked: () => ({ close: () => undefined }),
    revoke: async (_: string, what: object) => {
      if ('subject' in what) throw new HeldlineError('outcome_unknown', 'nobody knows')
      return { keptUntil }
    },
  }
  server = await startHttp({ ports: { revocations } })
  await server.ask('PUT', '/v1/sessions/s1')
})

afterAll(() => server?.close())

/** The audit lines that a request leaves, and what all other lines of the log are besides. */
async function linesOf(
  ...asked: Parameters<HttpServer['ask']>
): Promise<{ readonly lines: (LogFields | undefined)[]; readonly answer: unknown }> {
  const before = server.logged.length
  const { json } = await server.ask(...asked)
  const written = server.logged.slice(before).filter(({ event }) => event === 'audit')
  expect(written.every(({ level }) => level === 'info')).toBe(true)
  return { lines: written.map(({ fields }) => fields), answer: json }
}

const by = {
  audit: true,
  by: 'key:agent',
  address: '127.0.0.1',
  requestId: expect.any(String),
}
const wish = { subject: 'anna', sessions: ['s1'], capabilities: ['subscribe'], ttlMs: 60_000 }

test('a token that is made: what was asked for, then what it grants; the token itself is nowhere', async () => {
  const { lines, answer } = await linesOf('POST', '/v1/tokens', { body: wish })
  const { token, jti, expiresAt } = answer as { token: string; jti: string; expiresAt: number }
  const { subject, sessions, capabilities } = wish
  const about = { subject, sessions, capabilities }
  expect(lines).toEqual([
    { ...by, act: 'token.mint', outcome: 'asked', about },
    { ...by, act: 'token.mint', outcome: 'done', about: { ...about, jti, expiresAt } },
  ])
  expect(JSON.stringify(server.logged)).not.toContain(token.split('.')[1])
})

test('a token that is refused to its asker', async () => {
  const credential = await server.token({ subject: 'ben', capabilities: ['tokens'] })
  const { lines } = await linesOf('POST', '/v1/tokens', { body: wish, credential })
  expect(lines).toMatchObject([
    { act: 'token.mint', by: 'ben', outcome: 'asked' },
    { act: 'token.mint', by: 'ben', outcome: 'refused', code: 'forbidden' },
  ])
})

test('tokens that are taken back, or perhaps are, or are not for the asker to take back', async () => {
  const one = await linesOf('POST', '/v1/tokens/revoke', { body: { jti: 'j1' } })
  expect(one.lines).toEqual([
    { ...by, act: 'token.revoke', outcome: 'asked', about: { jti: 'j1' } },
    { ...by, act: 'token.revoke', outcome: 'done', about: { jti: 'j1' } },
  ])
  const all = await linesOf('POST', '/v1/tokens/revoke', { body: { subject: 'anna' } })
  expect(all.lines[1]).toMatchObject({ outcome: 'unknown', code: 'outcome_unknown' })
  const credential = await server.token({ capabilities: ['tokens'] })
  const not = await linesOf('POST', '/v1/tokens/revoke', { body: { jti: 'j1' }, credential })
  expect(not.lines[1]).toMatchObject({ outcome: 'refused', code: 'forbidden' })
})

test('a ticket, which is nowhere itself', async () => {
  const { lines, answer } = await linesOf('POST', '/v1/tickets', {
    body: { origin: 'https://a.b' },
  })
  expect(lines).toMatchObject([
    { act: 'ticket.issue', outcome: 'asked', about: { origin: 'https://a.b' } },
    { act: 'ticket.issue', outcome: 'done' },
  ])
  expect(JSON.stringify(server.logged)).not.toContain((answer as { ticket: string }).ticket)
})

test('retention that is changed; metadata that is, is no such act', async () => {
  const body = { ttlMs: 3_600_000, retention: { maxEvents: 10 }, metadata: { title: 'canary' } }
  const { lines } = await linesOf('PATCH', '/v1/sessions/s1', { body })
  const about = { session: 's1', ttlMs: 3_600_000, retention: { maxEvents: 10 } }
  expect(lines).toEqual([
    { ...by, act: 'session.patch', outcome: 'asked', about },
    { ...by, act: 'session.patch', outcome: 'done', about },
  ])
  const metadata = await linesOf('PATCH', '/v1/sessions/s1', { body: { metadata: { a: 1 } } })
  expect(metadata.lines).toEqual([])
  expect(JSON.stringify(server.logged)).not.toContain('canary')
})

test('control that is taken by force; without, it is no such act', async () => {
  const path = '/v1/sessions/s1/control/take'
  expect((await linesOf('POST', path, { body: {} })).lines).toEqual([])
  const { lines } = await linesOf('POST', path, { body: { force: true } })
  expect(lines).toMatchObject([
    { act: 'control.force', outcome: 'asked', about: { session: 's1' } },
    { act: 'control.force', outcome: 'done' },
  ])
})

test('a session that is closed, and one that is removed', async () => {
  const closed = await linesOf('POST', '/v1/sessions/s1/close', { body: { reason: 'canary' } })
  expect(closed.lines).toMatchObject([
    { act: 'session.close', outcome: 'asked', about: { session: 's1' } },
    { act: 'session.close', outcome: 'done' },
  ])
  const removed = await linesOf('DELETE', '/v1/sessions/s1')
  expect(removed.lines).toEqual([
    { ...by, act: 'session.delete', outcome: 'asked', about: { session: 's1' } },
    { ...by, act: 'session.delete', outcome: 'done', about: { session: 's1' } },
  ])
  const gone = await linesOf('POST', '/v1/sessions/s1/close')
  expect(gone.lines[1]).toMatchObject({ outcome: 'refused', code: 'session_not_found' })
  expect(JSON.stringify(server.logged)).not.toContain('canary')
})

test('docs/audit.md tells of every act what the table tells, and of no other', async () => {
  const page = await readFile(join(import.meta.dirname, '../../docs/audit.md'), 'utf8')
  const told = [...page.matchAll(/^\| `([a-z]+\.[a-z]+)` \| (.+) \|$/gm)]
  expect(told.map(([, act, text]) => [act, text])).toEqual(Object.entries(AUDIT_ACTS))
  const example = /```json\n(.*)\n```/.exec(page)?.[1] ?? ''
  const { lines } = await linesOf('POST', '/v1/tokens/revoke', { body: { jti: 'j1' } })
  const written: string[] = []
  const { audit } = createLogs({
    level: 'silent',
    destination: { write: (it) => written.push(it) },
  })
  audit.info('audit', lines[1])
  const namesOf = (line = ''): string[] => Object.keys(JSON.parse(line) as object)
  const real = namesOf(written[0]).filter((name) => name !== 'pid' && name !== 'hostname')
  expect(real).toEqual(namesOf(example))
})
