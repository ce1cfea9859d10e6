import { describe, expect, test } from 'vitest'
import { KeySet } from '../../src/auth/key-set.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { FakeLog } from '../support/sim-log.ts'

const HOUR_MS = 3_600_000

/** A key set whose issuer serves what `served` says: the ids of its keys, or nothing at all. */
function setup() {
  const clock = new FakeClock()
  const issuer: { served: readonly string[] | null; asked: number } = { served: null, asked: 0 }
  const keySet = new KeySet({
    url: 'https://keys.example.com/jwks',
    clock,
    log: new FakeLog(),
    fetch: async () => {
      issuer.asked++
      if (issuer.served === null) throw new Error('no network yet')
      return Response.json({ keys: issuer.served.map((kid) => ({ ...KEY, kid })) })
    },
  })
  const has = async (kid: string): Promise<boolean> => {
    try {
      await keySet.keyOf({ alg: 'EdDSA', kid }, { payload: '', signature: '' })
      return true
    } catch {
      return false
    }
  }
  return { clock, issuer, has }
}

/** Of RFC 8037. */
const KEY = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }

describe('a key set whose machine had its clock set back', () => {
  test('is fetched, where it could not be before: a machine often starts with a wrong clock, and without its network', async () => {
    const { clock, issuer, has } = setup()
    expect(await has('k0')).toBe(false)
    issuer.served = ['k0']
    clock.set(-2 * HOUR_MS)
    expect(await has('k0')).toBe(true)
    expect(issuer.asked).toBe(2)
  })

  test('is fetched again for a key that it does not have, and no more often than before', async () => {
    const { clock, issuer, has } = setup()
    issuer.served = ['k0']
    expect(await has('k0')).toBe(true)
    issuer.served = ['k0', 'k1']
    clock.set(-2 * HOUR_MS)
    expect(await has('k1')).toBe(true)
    for (let i = 0; i < 5; i++) expect(await has('k2')).toBe(false)
    expect(issuer.asked).toBe(2)
  })
})
