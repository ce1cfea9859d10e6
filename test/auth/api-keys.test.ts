import { describe, expect, test } from 'vitest'
import { ApiKeys } from '../../src/auth/api-keys.ts'
import { credentialOf } from '../../src/auth/authorization.ts'
import { refusalReason } from '../../src/auth/refusal.ts'
import { Secret } from '../../src/core/secret.ts'
import { CAPABILITIES } from '../../src/protocol/capabilities.ts'
import { refused } from './kit.ts'

const keys = new ApiKeys([
  { id: 'main', secret: new Secret('canary-one') },
  { id: 'next', secret: new Secret('canary:two:with:colons') },
])

describe('an API key [P-6.1]', () => {
  test('grants everything everywhere, as any kind, and does not expire', () => {
    const grant = keys.verify('main:canary-one')
    expect(grant).toMatchObject({
      subject: 'key:main',
      kind: 'any',
      sessions: ['*'],
      expiresAt: null,
    })
    expect([...grant.capabilities]).toEqual([...CAPABILITIES])
  })

  test('may hold colons in its secret', () => {
    expect(keys.verify('next:canary:two:with:colons').subject).toBe('key:next')
  })

  test.each([
    ['main:canary-two', 'wrong_secret'],
    ['main:', 'wrong_secret'],
    ['main:canary-one ', 'wrong_secret'],
    ['main:canary:two:with:colons', 'wrong_secret'],
    ['other:canary-one', 'unknown_key'],
    [':canary-one', 'unknown_key'],
    ['', 'unknown_key'],
    ['main', 'unknown_key'],
    ['__proto__:canary-one', 'unknown_key'],
  ])('%s is refused like any other', async (credential, reason) => {
    const error = await refused(() => keys.verify(credential), credential)
    expect(error.code).toBe('unauthenticated')
    expect(refusalReason(error)).toBe(reason)
  })
})

describe('an Authorization header [P-6.1]', () => {
  test.each([
    ['Bearer abc.def.ghi', 'abc.def.ghi'],
    ['bearer main:secret', 'main:secret'],
    ['BEARER   main:secret  ', 'main:secret'],
    [`Basic ${Buffer.from('main:se:cret').toString('base64')}`, 'main:se:cret'],
  ])('%s carries a credential', (header, credential) => {
    expect(credentialOf(header)).toBe(credential)
  })

  test.each([
    '',
    'Bearer',
    'Bearer ',
    'Digest abc',
    'abc',
    'Bearer a b',
    `Bearer ${'a'.repeat(10_000)}`,
  ])('%s is refused', async (header) => {
    expect((await refused(() => credentialOf(header), header)).code).toBe('unauthenticated')
  })
})
