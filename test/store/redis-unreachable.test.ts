import { expect, it } from 'vitest'
import { whyUnreachable } from '../../src/store/redis/unreachable.ts'

const failed = (code: string, message = code) => Object.assign(new Error(message), { code })

it.each([
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', true, /authority .* REDIS_CA/],
  ['SELF_SIGNED_CERT_IN_CHAIN', true, /authority .* REDIS_CA/],
  ['CERT_HAS_EXPIRED', true, /is over/],
  ['ERR_TLS_CERT_ALTNAME_INVALID', true, /another host/],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', true, /REDIS_CLIENT_CERT/],
  ['ECONNREFUSED', false, /^ECONNREFUSED$/],
  ['ETIMEDOUT', false, /TLS/],
] as const)('a connection that ends with %s is hopeless: %s', (code, hopeless, text) => {
  const why = whyUnreachable(failed(code))
  expect(why.hopeless).toBe(hopeless)
  expect(why.text).toMatch(text)
})

it('what Redis says of credentials is told by its first word alone', () => {
  const why = whyUnreachable(new Error('WRONGPASS invalid username-password pair: hunter2'))
  expect(why).toEqual({ hopeless: true, text: 'it refuses the user or password (WRONGPASS)' })
  expect(whyUnreachable(undefined)).toEqual({ hopeless: false, text: 'it does not answer' })
})
